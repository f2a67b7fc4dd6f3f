import { isDeepStrictEqual } from "node:util";
import type { Finding, ObserveError } from "#chain/model.ts";
import { type ValidateResult, withHistory } from "#chain/validate.ts";
import { listInFlight, readRecord, readRunningBackup, writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import { isAgentFailure, toObserveError } from "../agents/failure.ts";
import type { Context, Engine, EngineHost } from "../state.ts";
import { type JudgedNow, judgeNow } from "./judge-now.ts";
import { noSuchVm, requireHost } from "./lookup.ts";

export type Validation = {
  valid: boolean | null;
  findings: Finding[];
  observedAt: string | null;
  unknown: { disk: string | null; error: ObserveError }[];
};

const LIMIT_MS = 60_000;
const MOST_ATTEMPTS = 3;

/**
 * The complete recorded set against the host as it is now, by the agent, which has no past, and by what the engine knows
 * of it: an older image, another image, a bitmap made anew look whole to whoever sees them for the first time. Changes neither host nor record nor findings; only the
 * audit says that it was asked for. What a job is changing now is in flight, and no fault.
 */
export async function validateVm(context: Context, { vmId }: { vmId: string }): Promise<Validation> {
  const { engine, actor, traceId } = context;
  const { host, speaker } = await requireHost(context, vmId);
  const failed = (error: ObserveError): Validation => ({
    valid: null,
    findings: [],
    observedAt: null,
    unknown: [{ disk: null, error }],
  });
  let result: Validation;
  if (!host || speaker?.power === "absent") {
    const message = host ? "No host knows this VM now." : "The VM's host is not in the configuration.";
    result = failed({ code: "domain-changed", message, hostMessage: null, retryable: true });
  } else {
    try {
      result = await ask(engine, host, vmId);
    } catch (error) {
      if (!isAgentFailure(error)) throw error;
      result = failed(toObserveError(error, host.name));
    }
  }
  await writeAudit(engine.db.orm, {
    actor: actorName(actor),
    role: actor.role,
    action: "vms.validate",
    subject: vmId,
    outcome: result.valid === null ? "failed" : "done",
    detail:
      result.valid === null
        ? "cannot tell"
        : result.valid
          ? "valid"
          : `${result.findings.length} ${result.findings.length === 1 ? "finding" : "findings"}`,
    traceId,
  });
  return result;
}

/** Asked again when the record moved meanwhile: half of a change, seen from both sides, would look like a fault. */
async function ask(engine: Engine, host: EngineHost, vmId: string): Promise<Validation> {
  let set = await readSet(engine, vmId);
  for (let attempt = 1; ; attempt++) {
    const askedAt = Date.now();
    const signal = AbortSignal.timeout(LIMIT_MS);
    const result = await host.agent.api.validate({ vmId, ...set }, { signal });
    const judged = await judgeNow(engine, host, vmId, signal);
    const observedAt = host.agent.clock.toOurs(result.observedAt, askedAt);
    const now = await readSet(engine, vmId);
    if (isDeepStrictEqual(now, set) || attempt === MOST_ATTEMPTS) return { ...answerOf(result, judged), observedAt };
    set = now;
  }
}

/** Without the past nothing is valid for sure, and what the agent found wrong is wrong all the same. */
function answerOf(result: ValidateResult, judged: JudgedNow): ValidateResult {
  if (judged.ok) return withHistory(result, judged.findings);
  const unknown = [...result.unknown, { disk: null, error: judged.error }];
  return { ...result, valid: result.valid === false ? false : null, unknown };
}

/** All that is recorded of the VM's checkpoints at one moment, as the agent takes it. */
function readSet({ db }: Engine, vmId: string) {
  return db.orm.transaction(
    async (tx) => {
      const record = await readRecord(tx, vmId);
      if (!record) throw noSuchVm(vmId);
      return {
        checkpoints: record.checkpoints.map(({ id, parentId, createdAt, state, backup, disks }) => ({
          id,
          parentId,
          createdAt,
          ...(state === "active" ? {} : { state }),
          ...(backup === null ? {} : { backup }),
          disks: disks.map(({ target, granularity }) => ({ target, ...(granularity === null ? {} : { granularity }) })),
        })),
        retiredDisks: record.disks.filter((disk) => disk.retiredAt !== null).map((disk) => disk.target),
        inFlight: await listInFlight(tx, vmId),
        runningBackup: (await readRunningBackup(tx, vmId)) ?? undefined,
      };
    },
    { isolationLevel: "repeatable read", accessMode: "read only" },
  );
}
