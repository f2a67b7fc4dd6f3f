import { differsFromAccepted } from "#chain/plan/accept-images.ts";
import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import { acceptImages as accept, getVm, listDisks, listPresence } from "#db/index.ts";
import { readSpeakersObservation } from "../../observe/recompute.ts";
import { chooseSpeaker } from "../../observe/speaker.ts";
import { StepFailed } from "../failure.ts";
import { changeRecord, type JobRun } from "../run.ts";

/**
 * The images that were accepted. Time passes between a plan and its job, an engine that died in between for instance:
 * the newest read of the host that speaks for the VM must still show these, or nothing is taken.
 */
export function acceptImages(
  run: JobRun,
  action: Extract<PlanAction, { verb: "record.accept-images" }>,
  steps: PlanStep[],
) {
  const { vmId } = run.job;
  return changeRecord(run, steps, async (tx) => {
    const vm = await getVm(tx, vmId);
    const speaker = vm && chooseSpeaker(await listPresence(tx, vmId), vm.hostId);
    const observation = speaker && (await readSpeakersObservation(tx, speaker, vm));
    const known = await listDisks(tx, vmId);
    const images = action.disks.map((target) => {
      const identity = observation?.disks.find((disk) => disk.target === target)?.identity;
      const diskId = known.find((disk) => disk.target === target)?.id;
      if (!speaker || !identity || !diskId) throw new StepFailed(`The image of ${target} could not be seen.`);
      const { hostId } = speaker;
      const difference = differsFromAccepted(action, target, { hostId, identity });
      if (difference) throw new StepFailed(`${difference}. No image was taken: plan again.`, null, [target]);
      return { diskId, hostId, identity };
    });
    await accept(tx, vmId, images);
    return "taken as the disk's image; its counts start anew";
  });
}
