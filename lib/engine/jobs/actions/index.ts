/** One action of a plan: each may be done again and then finds what is done. */
import { assertNever } from "#chain/assert-never.ts";
import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import type { JobRun } from "../run.ts";
import { abortJob } from "./abort-job.ts";
import { acceptImages } from "./accept-images.ts";
import { acknowledge } from "./acknowledge.ts";
import { adopt } from "./adopt.ts";
import { backup } from "./backup.ts";
import { closeBackup } from "./close-backup.ts";
import { deleteBitmaps } from "./delete-bitmaps.ts";
import { deleteCheckpointsOnHost } from "./delete-checkpoints.ts";
import { deleteRecords } from "./delete-records.ts";
import { dropDisks } from "./drop-disks.ts";
import { markDeleting } from "./mark-deleting.ts";
import { prove } from "./prove.ts";
import { redefine } from "./redefine.ts";
import { relink } from "./relink.ts";
import { retireDisks } from "./retire-disks.ts";

/** Does it and records its steps. `prove` also ends the job. @throws StepFailed, TryAgain, Cancelled, LeaseLost */
export function runAction(run: JobRun, action: PlanAction, steps: PlanStep[]): Promise<void> {
  switch (action.verb) {
    case "host.redefine":
      return redefine(run, action, steps);
    case "host.delete-checkpoints":
      return deleteCheckpointsOnHost(run, action, steps);
    case "host.delete-bitmaps":
      return deleteBitmaps(run, action, steps);
    case "host.abort-job":
      return abortJob(run, steps);
    case "host.backup":
      return backup(run, action, steps);
    case "record.mark-deleting":
      return markDeleting(run, action, steps);
    case "record.delete":
      return deleteRecords(run, action, steps);
    case "record.drop-disks":
      return dropDisks(run, action, steps);
    case "record.adopt":
      return adopt(run, action, steps);
    case "record.relink":
      return relink(run, action, steps);
    case "record.accept-images":
      return acceptImages(run, action, steps);
    case "record.retire-disks":
      return retireDisks(run, action, steps);
    case "record.acknowledge":
      return acknowledge(run, action, steps);
    case "record.close-backup":
      return closeBackup(run, steps);
    case "prove":
      return prove(run, steps);
    default:
      return assertNever(action);
  }
}
