import type { PlanStep } from "#chain/plan/model.ts";
import { closeBackups, raiseRevision } from "#db/index.ts";
import { StepFailed } from "../failure.ts";
import { changeRecord, type JobRun } from "../run.ts";
import { readCurrent } from "./backup-job.ts";

/** Only when the host says that nothing runs: a record must not be closed under a backup that goes on. */
export async function closeBackup(run: JobRun, steps: PlanStep[]): Promise<void> {
  const { vmId } = run.job;
  const current = await readCurrent(run);
  if (current.state === "running") throw new StepFailed("libvirt runs a backup of this VM: it must end first.");
  await changeRecord(run, steps, async (tx) => {
    const closed = await closeBackups(tx, vmId, "Closed: libvirt has no such job.");
    if (closed > 0) await raiseRevision(tx, vmId);
    return closed > 0 ? "ended as failed" : "none was recorded as running";
  });
}
