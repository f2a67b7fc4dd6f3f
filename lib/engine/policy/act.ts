/** What policy does by itself: the same plans as a person's, run through the same door, and audited with its name. */
import { randomUUID } from "node:crypto";
import type { Finding, Remedy } from "#chain/model.ts";
import type { PlanRequest } from "#chain/plan/model.ts";
import { isLive } from "#chain/trust.ts";
import { ProblemError } from "#contract/problem.ts";
import { findLiveJob, getPlan, listAttempts } from "#db/index.ts";
import { actorName, SERVER } from "../actor.ts";
import { log } from "../log.ts";
import { preparePlan } from "../plans/create-plan.ts";
import { runPlan } from "../plans/run-plan.ts";
import { readSituation } from "../plans/situation.ts";
import type { Context, Engine } from "../state.ts";
import { mayTry } from "./back-off.ts";

/** Enough to see every pause and every repetition that `mayTry` knows of. */
const ATTEMPTS = 50;
/** A plan that loses a whole chain or a last base is typed by a person, whatever the policy says. */
const HIGHEST_TIER = 2;

type Wish = { request: PlanRequest & { intent: "redefine" | "heal" }; reason: string };

/** `againInMs`: worth another look then; null: when something changes. */
export type Acted = { jobId: string | null; againInMs: number | null };
const NOTHING: Acted = { jobId: null, againInMs: null };

export const isActive = ({ config }: Pick<Engine, "config">): boolean =>
  config.policy.redefineOnStart === "auto" || config.policy.healOnStart === "auto";

/** Redefining comes first: it loses nothing, and a heal is smaller after it. */
function wishesFor({ config }: Engine, findings: readonly Finding[]): Wish[] {
  const offers = (remedy: Remedy) => findings.some((one) => !one.acknowledged && one.remedies.includes(remedy));
  const wishes: Wish[] = [];
  if (config.policy.redefineOnStart === "auto" && offers("redefine"))
    wishes.push({ request: { intent: "redefine", mode: "salvage" }, reason: "policy: redefineOnStart" });
  if (config.policy.healOnStart === "auto" && offers("heal"))
    wishes.push({ request: { intent: "heal", mode: "salvage", findings: null }, reason: "policy: healOnStart" });
  return wishes;
}

/**
 * Repairs a VM that runs on one of these hosts, if policy says so and it was not tried in vain on the same state of
 * the host. What cannot be repaired so stays a finding, for a person.
 */
export async function actByPolicy(engine: Engine, vmId: string, hostIds: ReadonlySet<string>): Promise<Acted> {
  if (!isActive(engine) || (await findLiveJob(engine.db.orm, vmId))) return NOTHING;
  const situation = await engine.db.orm.transaction((tx) => readSituation(tx, vmId), {
    isolationLevel: "repeatable read",
    accessMode: "read only",
  });
  if (!situation || situation.error || !hostIds.has(situation.hostId) || !isLive(situation.observation)) return NOTHING;
  if (situation.findings.some((finding) => finding.kind === "vm.two-hosts")) return NOTHING;
  for (const wish of wishesFor(engine, situation.findings)) {
    const acted = await tryWish(engine, vmId, wish, situation.observation.digest);
    if (acted !== "nothing-to-do") return acted;
  }
  return NOTHING;
}

async function tryWish(engine: Engine, vmId: string, wish: Wish, digest: string): Promise<Acted | "nothing-to-do"> {
  const { intent } = wish.request;
  const query = { vmId, intent, actor: actorName(SERVER), limit: ATTEMPTS };
  const attempts = await listAttempts(engine.db.orm, query);
  const permission = mayTry(attempts, digest, Date.now());
  if (!permission.may) return { jobId: null, againInMs: permission.againInMs };

  const context: Context = { engine, actor: SERVER, traceId: randomUUID() };
  try {
    const isOurs = (plan: { tier: number }) => plan.tier <= HIGHEST_TIER;
    const prepared = await preparePlan(context, vmId, wish.request, { accept: isOurs });
    if ("refusals" in prepared) {
      const { refusals } = prepared;
      if (refusals.every(({ code }) => code === "nothing-to-do")) return "nothing-to-do";
      log.info({ vmId, intent, refusals }, "policy leaves a finding to a person");
      return NOTHING;
    }
    const plan = await getPlan(engine.db.orm, prepared.planId);
    if (!plan) return NOTHING;
    const result = await runPlan(context, plan, {
      confirm: undefined,
      acknowledged: plan.body.losses.map((loss) => loss.id),
      reason: wish.reason,
      idempotencyKey: keyOf(intent, plan.basis.observationDigest, attempts),
    });
    if ("jobId" in result) return { jobId: result.jobId, againInMs: null };
    log.info({ vmId, intent, code: result.refused.code, why: result.refused.message }, "policy's plan was refused");
    // What changed meanwhile was observed for the refusal: it is looked at anew.
    return { jobId: null, againInMs: result.refused.code === "plan_out_of_date" ? 0 : null };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    log.info({ vmId, intent, code: error.code, why: error.message }, "policy could not act");
    return NOTHING;
  }
}

/** The database takes a key once: however many processes look, one state of the host gets one try. */
const keyOf = (intent: string, digest: string, attempts: readonly { digest: string }[]): string =>
  `policy:${intent}:${digest}:${attempts.filter((attempt) => attempt.digest === digest).length}`;
