import type { Finding, ObserveError } from "#chain/model.ts";
import { readRecord, writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import { isAgentFailure, toObserveError } from "../agents/failure.ts";
import type { Context } from "../state.ts";
import { noSuchVm, requireHost } from "./lookup.ts";

export type Validation = {
  valid: boolean | null;
  findings: Finding[];
  observedAt: string | null;
  unknown: { disk: string | null; error: ObserveError }[];
};

const LIMIT_MS = 60_000;

/**
 * The complete recorded set against the host as it is now. Changes neither host nor record nor findings; only the
 * audit says that it was asked for. Recorded checkpoints that are not active are not expected on the host.
 */
export async function validateVm(context: Context, { vmId }: { vmId: string }): Promise<Validation> {
  const { engine, actor, traceId } = context;
  const { host, speaker } = await requireHost(context, vmId);
  const record = await readRecord(engine.db.orm, vmId);
  if (!record) throw noSuchVm(vmId);
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
    const checkpoints = record.checkpoints
      .filter((item) => item.state === "active" && item.disks.length > 0)
      .map(({ id, parentId, createdAt, disks }) => ({
        id,
        parentId,
        createdAt,
        disks: disks.map(({ target }) => ({ target })),
      }));
    try {
      result = await host.agent.api.validate({ vmId, checkpoints }, { signal: AbortSignal.timeout(LIMIT_MS) });
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
