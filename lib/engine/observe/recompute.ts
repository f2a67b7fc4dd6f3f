/** Brings findings and summary of one VM in line with its record and its newest read, inside the caller's transaction. */
import { countsOf } from "#chain/digest.ts";
import type { DirtyCount, DriftInput, Finding, Observation, ObserveError } from "#chain/model.ts";
import { isLive } from "#chain/trust.ts";
import {
  endPeaks,
  getObservation,
  type KindSummary,
  learnGranularities,
  listPresence,
  lockVm,
  NO_FINDING_RANK,
  notifyChange,
  type Presence,
  raisePeaks,
  readRecord,
  replaceFindings,
  saveSummary,
  severityRank,
  type Tx,
} from "#db/index.ts";
import type { Engine } from "../state.ts";
import { acceptIdentities, noteProofs } from "./identities.ts";
import { readJudgement } from "./judgement.ts";
import { withLastSight } from "./last-sight.ts";
import { committedCounts, unknownGranularities } from "./learn.ts";
import { chooseSpeaker } from "./speaker.ts";

export type Recomputed = {
  /** Hosts to read again before two hosts are believed to run the VM. */
  toRead: string[];
  /** libvirt runs a job on it, or the read was cut short by a change: worth another look soon. */
  unsettled: boolean;
  /** It runs on one host, and something that stands could be repaired: policy may want to. */
  repairable: boolean;
};

export const NOTHING: Recomputed = { toRead: [], unsettled: false, repairable: false };

/** A VM that no host knows: what libvirt and the images say is not known, and that is all there is to say. */
function absentObservation(vmId: string, name: string, speaker: Presence): Observation {
  const error: ObserveError = {
    code: "domain-changed",
    message: "No host knows this VM.",
    hostMessage: null,
    retryable: true,
  };
  return {
    vmId,
    name,
    power: "absent",
    persistent: false,
    runtimeId: null,
    observedAt: speaker.observedAt ?? speaker.triedAt,
    source: "image",
    digest: "",
    countsDigest: "",
    checkpoints: { ok: false, error },
    disks: [],
    job: { ok: false, error },
  };
}

export async function readSpeakersObservation(
  tx: Parameters<typeof getObservation>[0],
  speaker: Presence,
  vm: { id: string; name: string },
): Promise<Observation | null> {
  if (speaker.power === "absent") return absentObservation(vm.id, vm.name, speaker);
  const body = speaker.observationId === null ? null : await getObservation(tx, speaker.observationId);
  return body && { ...withCounts(body, speaker), observedAt: speaker.observedAt ?? body.observedAt };
}

/** The stored body with the newest counts: an observation that changed in nothing else is not stored again. */
function withCounts(observation: Observation, { counts }: Presence): Observation {
  if (counts.length === 0) return observation;
  const known = new Map(counts.map((c) => [JSON.stringify([c.target, c.layerPath, c.bitmap]), c.dirtyBytes]));
  return {
    ...observation,
    disks: observation.disks.map((disk) => {
      if (!disk.layers.ok) return disk;
      const value = disk.layers.value.map((layer) => ({
        ...layer,
        bitmaps: layer.bitmaps.map((bitmap) => ({
          ...bitmap,
          dirtyBytes: known.get(JSON.stringify([disk.target, layer.path, bitmap.name])) ?? bitmap.dirtyBytes,
        })),
      }));
      return { ...disk, layers: { ok: true as const, value } };
    }),
  };
}

/** Expects the VM's row to be there. Takes its lock. */
export async function recompute(tx: Tx, { config }: Pick<Engine, "config">, vmId: string): Promise<Recomputed> {
  const vm = await lockVm(tx, { id: vmId });
  const record = await readRecord(tx, vmId);
  if (!vm || !record) return NOTHING;
  const presences = await listPresence(tx, vmId);
  const speaker = chooseSpeaker(presences, vm.hostId);
  if (!speaker) return NOTHING;
  const observation = await readSpeakersObservation(tx, speaker, vm);
  const tried = { hostId: speaker.hostId, triedAt: new Date(speaker.triedAt), error: speaker.error };
  if (!observation) {
    await saveSummary(tx, vmId, { ...tried, power: speaker.power, agreement: "unknown" });
    await notifyChange(tx, { type: "vm", vmId });
    return NOTHING;
  }
  const { input, judged, disks, proofs, migrates, toRead } = await readJudgement(tx, config, {
    vmId,
    record,
    presences,
    speaker,
    observation,
  });
  await noteProofs(tx, proofs, observation);
  const at = new Date(observation.observedAt);
  await replaceFindings(tx, vmId, await withLastSight(tx, vm, judged), at);

  // What something speaks against is no point of comparison for the next read.
  const doubted = new Set(
    judged.findings.filter((f) => f.kind === "disk.replaced" || f.kind === "bitmap.rewound").map((f) => f.subject.disk),
  );
  const twoHosts = judged.findings.some((finding) => finding.kind === "vm.two-hosts");
  if (!twoHosts) {
    const suspected = new Set([...doubted, ...hiddenByJobs(input)]);
    await acceptIdentities(tx, input, disks, { doubted: suspected, settled: proofs.settled });
    if (isLive(observation) && observation.source === "qmp") {
      const ids = new Map(disks.map((disk) => [disk.target, disk.id]));
      const isHigher = higherThan(input.samples);
      const trusted = countsOf(observation).filter((count) => !doubted.has(count.target) && isHigher(count));
      await raisePeaks(tx, vmId, ids, trusted, at, observation.runtimeId);
      await endPeaks(tx, vmId, ids, committedCounts(input, doubted));
      await learnGranularities(tx, vmId, unknownGranularities(input, ids, doubted));
    }
  }

  const standing = judged.findings.filter((finding) => !finding.acknowledged);
  await saveSummary(tx, vmId, {
    ...tried,
    name: observation.name,
    power: observation.power,
    persistent: observation.persistent,
    runtimeId: observation.runtimeId,
    observationId: speaker.observationId,
    observedAt: at,
    // Whether this still holds is decided when it is shown: a failed or an old read makes it the last known.
    agreement: judged.agreement,
    nextBackup: judged.nextBackup,
    verdicts: judged.verdicts,
    kinds: summariseKinds(standing),
    severityRank: Math.min(NO_FINDING_RANK, ...standing.map((finding) => severityRank(finding.severity))),
    diskCount: observation.power === "absent" ? disks.length : observation.disks.length,
  });
  await notifyChange(tx, { type: "vm", vmId });
  return {
    toRead: migrates ? [] : toRead.map((view) => view.hostId),
    unsettled: observation.job.ok && !["none", "lost-backup"].includes(observation.job.value.operation),
    repairable: isLive(observation) && !twoHosts && standing.some((finding) => isRepairable(finding)),
  };
}

const isRepairable = ({ remedies }: Finding): boolean => remedies.includes("redefine") || remedies.includes("heal");

/** Whether a count is worth writing: most of a long chain did not move since the last read. */
function higherThan(peaks: readonly DirtyCount[]): (count: DirtyCount) => boolean {
  const key = ({ target, bitmap, layerPath }: DirtyCount) => JSON.stringify([target, bitmap, layerPath]);
  const known = new Map(peaks.map((peak) => [key(peak), peak]));
  return (count) => {
    const peak = known.get(key(count));
    return peak?.granularity !== count.granularity || count.dirtyBytes > peak.dirtyBytes;
  };
}

/** Another image of a disk that a job works on is not reported while it does. Hidden is not unsuspected. */
const hiddenByJobs = ({ inFlight }: DriftInput): string[] =>
  inFlight.filter(({ kind }) => kind !== "backup").flatMap((job) => job.disks);

function summariseKinds(findings: { kind: string; severity: string }[]): KindSummary[] {
  const kinds = new Map<string, KindSummary>();
  for (const { kind, severity } of findings) {
    const known = kinds.get(kind);
    if (known) known.count += 1;
    else kinds.set(kind, { kind, severity, count: 1 });
  }
  return [...kinds.values()];
}
