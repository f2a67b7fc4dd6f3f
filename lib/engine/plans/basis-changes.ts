import { isDeepStrictEqual } from "node:util";
import { describeChanges } from "#chain/plan/changes.ts";
import { describeConsentChanges } from "#chain/plan/consent.ts";
import { findObservation, getHost, type PlanChange, type Reader, type StoredPlan, type Tx } from "#db/index.ts";
import type { Engine } from "../state.ts";
import { computePlan, newCheckpointId } from "./compute.ts";
import type { Situation } from "./situation.ts";

/**
 * What is not as it was when the plan was computed: record, host, run, and everything that its observation saw. When
 * nothing of that differs the plan is computed once more: findings, acknowledgements, files of backups and the policy
 * may have changed without a trace in either. Empty: the plan still says what would be done, and what it costs.
 */
export async function findBasisChanges(
  engine: Engine,
  tx: Tx,
  plan: StoredPlan,
  now: Situation | null,
  repositories: readonly string[],
): Promise<PlanChange[]> {
  const changes = await compareBasis(tx, plan, now);
  return now && changes.length === 0 ? differentPlan(engine, plan, now, repositories) : changes;
}

/** The part of it that needs no new plan. */
export async function compareBasis(reader: Reader, plan: StoredPlan, now: Situation | null): Promise<PlanChange[]> {
  const { basis } = plan;
  if (!now) return [{ what: "the VM", was: "observed", is: "not known" }];
  const changes: PlanChange[] = [];
  const note = (what: string, was: string, is: string) => {
    if (was !== is && !changes.some((change) => change.what === what)) changes.push({ what, was, is });
  };
  note("record", `revision ${basis.recordRevision}`, `revision ${now.record.revision}`);
  if (basis.hostId !== now.hostId) {
    note("host", (await getHost(reader, basis.hostId))?.name ?? basis.hostId, now.hostName);
  }
  const is = now.observation;
  if (basis.observationDigest !== is.digest) {
    const { vmId, hostId, observationDigest: digest } = { ...basis, vmId: plan.vmId };
    const was = await findObservation(reader, { vmId, hostId, digest });
    for (const change of describeChanges(was, is)) note(change.what, change.was, change.is);
  }
  note("run of the VM", basis.runtimeId ?? "does not run", is.runtimeId ?? "does not run");
  if (changes.length === 0 && basis.observationDigest !== is.digest) {
    note("what the host shows", `digest ${basis.observationDigest}`, `digest ${is.digest}`);
  }
  return changes;
}

function differentPlan(
  engine: Engine,
  plan: StoredPlan,
  now: Situation,
  repositories: readonly string[],
): PlanChange[] {
  const { actions, request } = plan.body;
  const backup = actions.find((action) => action.verb === "host.backup");
  const again = computePlan(engine, now, request, backup?.checkpointId ?? newCheckpointId(), repositories);
  if (!again.ok) {
    const is = again.refusals.map((refusal) => refusal.reason).join(" ");
    return [{ what: "what speaks against it", was: "nothing", is }];
  }
  if (isDeepStrictEqual(again.plan.actions, actions)) return describeConsentChanges(plan.body, again.plan);
  const words = (list: typeof actions) => `${list.length} actions: ${list.map((action) => action.verb).join(", ")}`;
  const is = `${words(again.plan.actions)} (other subjects)`;
  return [{ what: "what would be done", was: words(actions), is }];
}
