/** One observation of a VM judged against all that is known of it. Reads; changes nothing. */
import { findUndoneRewinds } from "#chain/findings/index.ts";
import type { DriftInput, Finding, Observation, VmRecord } from "#chain/model.ts";
import {
  listDisks,
  listInFlight,
  listOpenFindings,
  type Presence,
  type Reader,
  readCountsOfEarlierRuns,
  readPeaks,
  readRunningBackup,
} from "#db/index.ts";
import type { Config } from "../config.ts";
import { judge } from "./judge.ts";
import { judgeProofs } from "./proofs.ts";
import { activeElsewhere, seenAt } from "./speaker.ts";

type Known = {
  vmId: string;
  record: VmRecord;
  presences: readonly Presence[];
  /** The host that the observation is of, as of that read. */
  speaker: Presence;
  observation: Observation;
};

/** The caller sees to it that what is read here and what it hands in are of one moment. */
export async function readJudgement(reader: Reader, config: Config, known: Known) {
  const { vmId, record, presences, speaker, observation } = known;
  const { proven, toRead } = activeElsewhere(presences, speaker);
  const migrates = observation.job.ok && observation.job.value.operation === "migration";
  const disks = await listDisks(reader, vmId);
  const proofs = judgeProofs(disks, observation, speaker.hostId);
  const input: DriftInput = {
    record,
    hostId: speaker.hostId,
    observation,
    samples: await readPeaks(reader, vmId),
    inFlight: await listInFlight(reader, vmId),
    activeElsewhere: migrates ? [] : proven.map(seenAt),
    provenMoves: proofs.proven,
    runningBackup: await readRunningBackup(reader, vmId),
    jobLimitMs: config.policy.jobLimitSeconds * 1_000,
  };
  const before = await listOpenFindings(reader, vmId);
  const judged = judge(input, before, await readUndone(reader, input, before, speaker));
  return { input, judged, disks, proofs, migrates, toRead };
}

/**
 * Only the first look at a new run can prove that the right image was put back: later, writes have blurred the counts.
 * See lib/decisions/a-rewind-stands.md.
 */
async function readUndone(
  reader: Reader,
  { observation, samples }: DriftInput,
  before: readonly Finding[],
  speaker: { activeSince: string | null; observedAt: string | null },
): Promise<ReadonlySet<string>> {
  const isFirstLook = speaker.activeSince !== null && speaker.activeSince === speaker.observedAt;
  const isRewound = before.some((finding) => finding.kind === "bitmap.rewound");
  if (!isRewound || !isFirstLook || observation.runtimeId === null) return new Set();
  const lastRun = await readCountsOfEarlierRuns(reader, observation.vmId, observation.runtimeId);
  return findUndoneRewinds({ observation, peaks: samples, lastRun });
}
