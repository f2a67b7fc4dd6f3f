/** The end of a job: state, audit, free VM and findings in one transaction. */
import { dropLease, endJob, listUnsettled, type Tx, writeAudit } from "#db/index.ts";
import { recompute } from "../observe/recompute.ts";
import type { JobRun } from "./run.ts";

export type JobEnd = {
  state: "succeeded" | "failed" | "cancelled" | "lost";
  error: string | null;
  proof: Record<string, unknown> | null;
};

/** Inside a transaction that holds the lease (`record`). */
export async function finishJob(tx: Tx, run: Pick<JobRun, "engine" | "job" | "lease">, end: JobEnd): Promise<void> {
  const { job, lease } = run;
  const behind = end.state === "succeeded" ? [] : await listUnsettled(tx, job.vmId);
  const error = [end.error, wordsBehind(behind)].filter((part) => part !== null).join(" ") || null;
  await endJob(tx, job, { ...end, error });
  await writeAudit(tx, {
    actor: job.actor,
    role: job.role,
    action: `jobs.${job.kind}`,
    subject: job.vmId,
    outcome: end.state === "succeeded" ? "done" : "failed",
    detail: end.state === "succeeded" ? "succeeded" : `${end.state}: ${error ?? ""}`,
    traceId: job.traceId,
    planId: job.planId,
    jobId: job.id,
    reason: job.reason,
  });
  await dropLease(tx, lease);
  // What the job named is no longer in flight.
  await recompute(tx, run.engine, job.vmId);
}

function wordsBehind(behind: { id: string; state: string }[]): string | null {
  const say = (state: string, one: string, several: string): string[] => {
    const ids = behind.filter((item) => item.state === state).map((item) => item.id);
    if (ids.length === 0) return [];
    const shown = ids.length > 3 ? `${ids.slice(0, 3).join(", ")} and ${ids.length - 3} more` : ids.join(", ");
    return [`${shown} ${ids.length === 1 ? one : several}`];
  };
  const parts = [
    ...say(
      "deleting",
      "stays marked as being deleted and is no base any more",
      "stay marked as being deleted and are no bases any more",
    ),
    ...say("creating", "stays unfinished and is no base", "stay unfinished and are no bases"),
  ];
  return parts.length > 0
    ? `Left behind: ${parts.join("; ")}. Driftline tries again by itself until that is done.`
    : null;
}
