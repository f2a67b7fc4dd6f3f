/** The VM as a whole: where it runs and what holds it. */
import type { Finding } from "../model.ts";
import { LOST_BY_LIBVIRT, OTHER_JOB } from "../words/findings.ts";
import type { DriftContext } from "./context.ts";
import { makeFinding } from "./make.ts";

export function findVmDefects(ctx: DriftContext): Finding[] {
  const stuck = stuckBackup(ctx);
  const lost = lostBackup(ctx).filter(({ id }) => !stuck.some((other) => other.id === id));
  return [...twoHosts(ctx), ...stuck, ...lost];
}

function twoHosts(ctx: DriftContext): Finding[] {
  const elsewhere = ctx.input.activeElsewhere.filter((other) => other.hostId !== ctx.input.hostId);
  if (!ctx.live || elsewhere.length === 0) return [];
  const others = [...elsewhere].sort((a, b) => (a.hostId < b.hostId ? -1 : 1));
  const metadata = `${ctx.input.observation.power} here at ${ctx.input.observation.observedAt}; also active on ${others
    .map((other) => `${other.hostName} at ${other.observedAt}`)
    .join(", ")}`;
  return [makeFinding({ kind: "vm.two-hosts", evidence: { metadata } })];
}

/** Nothing ends such a job but the end of this run of the VM and of its libvirt. */
function lostBackup({ absent, input: { observation } }: DriftContext): Finding[] {
  if (!observation.job.ok || absent || observation.job.value.operation !== "lost-backup") return [];
  const evidence = { metadata: "libvirt holds the VM for a backup job of which it has no data" };
  return [makeFinding({ kind: "backup.stuck", reason: LOST_BY_LIBVIRT, evidence, remedies: [] })];
}

function stuckBackup(ctx: DriftContext): Finding[] {
  const { observation, runningBackup, jobLimitMs } = ctx.input;
  if (!observation.job.ok || ctx.absent) return [];
  const job = observation.job.value;
  const checkpointId = runningBackup?.checkpointId ?? null;
  const record = runningBackup ? `a backup is recorded as running since ${runningBackup.startedAt}` : null;
  // What is recorded as running is that one, and nothing ends it before libvirt has let go of it.
  if (job.operation === "lost-backup") return [];
  if (job.operation === "none") {
    const ours = ctx.input.inFlight.some((flight) => flight.kind === "backup");
    if (!runningBackup || ours) return [];
    // Begun after this read: the read could not see it.
    if (Date.parse(runningBackup.startedAt) > Date.parse(observation.observedAt)) return [];
    const evidence = { record, metadata: "libvirt has no job on this VM" };
    return [makeFinding({ kind: "backup.stuck", checkpointId, reason: "no-such-job", evidence, remedies: ["close"] })];
  }
  if (job.elapsedMs <= jobLimitMs) return [];
  const minutes = (ms: number) => `${Math.round(ms / 60_000)} min`;
  const metadata = `a ${job.operation} job holds the VM for ${minutes(job.elapsedMs)}, the limit is ${minutes(jobLimitMs)}`;
  // What no backup made is ended by whoever began it: nothing of ours can.
  const isBackup = job.operation === "backup";
  const reason = isBackup ? "too-long" : OTHER_JOB;
  const remedies = isBackup ? (runningBackup ? undefined : (["abort"] as const)) : [];
  return [makeFinding({ kind: "backup.stuck", checkpointId, reason, evidence: { record, metadata }, remedies })];
}
