import type { DriftInput, Finding, Observation, ObserveError, VmRecord } from "#chain/model.ts";
import { getVm, listOpenFindings, listPresence, type Reader, readRecord, readRestoreFiles } from "#db/index.ts";
import { readSpeakersObservation } from "../observe/recompute.ts";
import { activeElsewhere, chooseSpeaker, seenAt } from "../observe/speaker.ts";

/** Everything that a plan is computed from, as the database knows it at one moment. */
export type Situation = {
  vmName: string;
  hostId: string;
  hostName: string;
  record: VmRecord;
  observation: Observation;
  findings: Finding[];
  /** Other hosts that run it, proven or still to be read again: while there is one, nothing is changed. */
  activeElsewhere: DriftInput["activeElsewhere"];
  /** Files that an increment can be put on, by `checkpoint|disk`. */
  restoreFiles: ReadonlyMap<string, string>;
  /** Why nothing is known now, or null. */
  error: ObserveError | null;
};

/** null: the VM is not known, or no complete read of it exists. The caller sees to it that the moment is one. */
export async function readSituation(reader: Reader, vmId: string): Promise<Situation | null> {
  const vm = await getVm(reader, vmId);
  const record = await readRecord(reader, vmId);
  const presences = await listPresence(reader, vmId);
  const speaker = vm && chooseSpeaker(presences, vm.hostId);
  const observation = speaker && (await readSpeakersObservation(reader, speaker, vm));
  if (!vm || !record || !speaker || !observation) return null;
  const { proven, unproven } = activeElsewhere(presences, speaker);
  return {
    vmName: vm.name,
    hostId: speaker.hostId,
    hostName: speaker.hostName,
    record,
    observation,
    findings: await listOpenFindings(reader, vmId),
    activeElsewhere: [...proven, ...unproven].map(seenAt),
    restoreFiles: await readRestoreFiles(reader, vmId),
    error: speaker.error,
  };
}
