import type { VerifyItem } from "#contract/agent-operations.ts";
import { problemOfRead } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { getVm, insertVerification, inTransaction, writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import { isAgentFailure, toObserveError } from "../agents/failure.ts";
import type { Context } from "../state.ts";
import { getBackup } from "./backups.ts";
import { judgeDisk, summarise, type VerifiedDisk } from "./judge-verification.ts";

type Result = { type: "result"; ok: boolean; detail: string; at: string };

/**
 * Restores a backup to temporary files on its host, and compares the content with the stopped disk where nothing was
 * written to it since, else with what was recorded when it was made. Streams what the agent does; its result is kept with the backup and audited.
 * @throws ProblemError not_found; conflict: it did not finish or has no files; unavailable: its host cannot be asked
 */
export async function verifyBackup(
  context: Context,
  { backupId }: { backupId: string },
  signal: AbortSignal | undefined,
): Promise<AsyncGenerator<VerifyItem | Result, void>> {
  const { engine } = context;
  const backup = await getBackup(context, { backupId });
  if (backup.state !== "finished")
    throw new ProblemError("conflict", "Only a backup that finished can be verified.", { subject: backupId });
  const disks = backup.disks.flatMap(({ target, path }) => (path === null ? [] : [{ target, path }]));
  if (disks.length === 0 || disks.length < backup.disks.length)
    throw new ProblemError("conflict", "The backup has no files that Driftline knows of.", { subject: backupId });
  const vm = await getVm(engine.db.orm, backup.vmId);
  const host = engine.hosts.get(backup.hostId ?? vm?.hostId ?? "");
  if (!host) throw new ProblemError("unavailable", "The backup's host is not configured.", { subject: backupId });
  // Only the host that has the VM can compare with its disk; the checkpoint's bitmaps tell it what was written since.
  const since = backup.checkpointId === null ? {} : { checkpointId: backup.checkpointId };
  const compareWith = vm?.hostId === host.id ? { vmId: backup.vmId, ...since } : null;
  const recorded = new Map(backup.disks.map(({ target, sha256 }) => [target, sha256]));

  return (async function* () {
    const seen: VerifiedDisk[] = [];
    try {
      let isComplete = false;
      for await (const item of await host.agent.api.verifyBackup({ disks, compareWith }, { signal })) {
        if (item.type === "disk") seen.push(item);
        if (item.type === "done") isComplete = true;
        yield item;
      }
      if (!isComplete) throw new ProblemError("unavailable", "The agent's answer ended before it was complete.");
    } catch (error) {
      if (isAgentFailure(error)) throw problemOfRead(toObserveError(error, host.name), backupId);
      throw error;
    }
    const verdicts = disks.map(({ target }) => {
      const item = seen.find((one) => one.target === target);
      return { target, verdict: judgeDisk(recorded.get(target) ?? null, item) };
    });
    const result = summarise(verdicts);
    yield { type: "result", ...result, at: await keep(context, backup, result, seen) };
  })();
}

function keep(
  { engine, actor, traceId }: Context,
  backup: { id: string; vmId: string; jobId: string | null },
  { ok, detail }: { ok: boolean; detail: string },
  disks: VerifiedDisk[],
): Promise<string> {
  return inTransaction(engine.db, async (tx) => {
    const at = await insertVerification(tx, { backupId: backup.id, actor: actorName(actor), ok, detail, disks });
    await writeAudit(tx, {
      actor: actorName(actor),
      role: actor.role,
      action: "backups.verify",
      subject: backup.vmId,
      outcome: ok ? "done" : "failed",
      detail: `backup ${backup.id}: ${detail}`,
      traceId,
      jobId: backup.jobId,
    });
    return at;
  });
}
