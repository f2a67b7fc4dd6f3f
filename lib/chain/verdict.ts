/** What the next backup of each disk can be. Bitmaps are independent: a broken old one does not spoil a newer one. */
import { isHealthy, summariseBitmaps } from "./bitmaps.ts";
import { remadeBitmaps } from "./findings/remade.ts";
import { unsupportedReason } from "./findings/unsupported.ts";
import type {
  DiskBitmap,
  DiskObservation,
  DiskVerdict,
  Finding,
  FindingKind,
  HostCheckpoint,
  InFlight,
  Observation,
  Read,
  RecordCheckpoint,
  VmRecord,
} from "./model.ts";
import { currentLine } from "./order.ts";
import { byId, coveringByDisk } from "./tree.ts";
import { readCheckpoints, readLayers } from "./trust.ts";
import type { VerdictReason } from "./words/verdicts.ts";

export { type AgreementInput, agreementOf, type FreshnessInput } from "./axes.ts";
export { summariseNextBackup } from "./next-backup.ts";

export type NextBackupInput = {
  record: VmRecord;
  /** null: the host was never read, or its last read is not to be used. */
  observation: Observation | null;
  /** What `findDrift` said of the same observation. */
  findings: readonly Finding[];
  /** Jobs of ours other than backups make the disks that they name unknown for the moment. */
  inFlight?: readonly InFlight[];
};

/** One verdict for each attached disk (of a VM that is on no host: for each recorded one), by target. */
export function nextBackup(input: NextBackupInput): DiskVerdict[] {
  const { observation } = input;
  const targets = new Set<string>(observation?.disks.map(({ target }) => target));
  if (!observation || observation.power === "absent") {
    const recorded = input.record.checkpoints.flatMap((item) => item.disks);
    for (const { target } of [...input.record.disks, ...recorded]) targets.add(target);
    for (const disk of input.record.disks) if (disk.retiredAt !== null) targets.delete(disk.target);
  }
  const vm = verdictOfVm(input);
  const covering = coveringByDisk(currentLine(input.record).reverse());
  const distrusted = distrustedDisks(input.findings);
  const known = observation ? { host: readHost(observation), remade: remadeBitmaps(input.findings) } : null;
  const disks = new Map(observation?.disks.map((disk) => [disk.target, disk]));
  return [...targets].sort().map((target) => {
    if (vm) return answer(target, vm.verdict, vm.reason);
    const disk = disks.get(target);
    if (!observation || !known) return answer(target, "unknown", "not-observed");
    if (!disk) return answer(target, "unknown", "disk-not-observed");
    return verdictOfDisk(input, observation, disk, covering.get(target) ?? [], known, distrusted.get(target));
  });
}

type Host = Read<ReadonlyMap<string, HostCheckpoint>> | "absent";
/** What holds for all disks alike: libvirt's list, and bitmaps that are not what was recorded. */
type Known = { host: Host; remade: ReadonlySet<string> };

/** On no host there is nothing to be listed: at the next start everything is redefined. */
function readHost(observation: Observation): Host {
  if (observation.power === "absent") return "absent";
  const read = readCheckpoints(observation);
  return read.ok ? { ok: true, value: byId(read.value) } : read;
}

function answer(disk: string, verdict: DiskVerdict["verdict"], reason: VerdictReason): DiskVerdict {
  return { disk, verdict, from: null, estimatedBytes: null, reason };
}

/** What holds for every disk at once; in order of what must be put right first. */
function verdictOfVm(input: NextBackupInput): { verdict: "blocked" | "unknown"; reason: VerdictReason } | null {
  const has = (kind: FindingKind) => input.findings.some((finding) => finding.kind === kind);
  if (has("vm.two-hosts")) return { verdict: "blocked", reason: "two-hosts" };
  if (has("record.cycle") || has("record.missing-parent")) return { verdict: "blocked", reason: "record-broken" };
  if (has("backup.stuck")) return { verdict: "blocked", reason: "backup-stuck" };
  if (!input.observation) return { verdict: "unknown", reason: "not-observed" };
  if (input.observation.power === "unknown") return { verdict: "unknown", reason: "power-unknown" };
  return null;
}

/**
 * Disks none of whose bitmaps may be used. A replacement can be accepted by a person; a rewind cannot: nothing brings
 * lost writes back.
 */
function distrustedDisks(findings: readonly Finding[]): Map<string, "replaced" | "rewound"> {
  const distrusted = new Map<string, "replaced" | "rewound">();
  for (const { kind, subject, acknowledged } of findings) {
    if (subject.disk === null) continue;
    if (kind === "bitmap.rewound" && !distrusted.has(subject.disk)) distrusted.set(subject.disk, "rewound");
    if (kind === "disk.replaced" && !acknowledged) distrusted.set(subject.disk, "replaced");
  }
  return distrusted;
}

function verdictOfDisk(
  input: NextBackupInput,
  observation: Observation,
  disk: DiskObservation,
  covering: readonly RecordCheckpoint[],
  known: Known,
  distrust: "replaced" | "rewound" | undefined,
): DiskVerdict {
  const { record, inFlight = [] } = input;
  const { target } = disk;
  const layers = readLayers(observation, disk);
  if (!layers.ok && layers.error.code === "unreadable") return answer(target, "blocked", "unreadable");
  if (unsupportedReason(disk, layers) !== null) return answer(target, "full", "unsupported");
  if (distrust) return answer(target, "full", distrust);
  if (inFlight.some((job) => job.kind !== "backup" && job.disks.includes(target))) {
    return answer(target, "unknown", "job-in-flight");
  }
  const retired = record.disks.some((item) => item.target === target && item.retiredAt !== null);
  const bases = retired ? [] : covering.filter(isFinished);
  const bitmaps = summariseBitmaps({ ...disk, layers });
  if (!bitmaps.ok) return answer(target, "unknown", "bitmaps-not-read");
  if (record.checkpoints.length === 0) return answer(target, "full", "no-checkpoint");
  if (bases.length === 0) {
    return answer(target, "full", covering.length > 0 && !retired ? "only-unfinished" : "not-covered");
  }
  const byName = new Map(bitmaps.value.map((bitmap) => [bitmap.name, bitmap]));
  return newestBase(target, bases, byName, known);
}

/** A base must be complete: made by a backup that finished, or by another manager. */
function isFinished(item: RecordCheckpoint): boolean {
  return item.state === "active" && (item.backup === null || item.backup === "finished");
}

function newestBase(
  target: string,
  newestFirst: readonly RecordCheckpoint[],
  bitmaps: ReadonlyMap<string, DiskBitmap>,
  { host, remade }: Known,
): DiskVerdict {
  let firstReason: VerdictReason | null = null;
  for (const { id } of newestFirst) {
    const bitmap = bitmaps.get(id);
    if (bitmap && isHealthy(bitmap) && remade.has(`${id}|${target}`)) {
      firstReason ??= "bitmap-remade";
      continue;
    }
    if (bitmap && isHealthy(bitmap)) {
      const obstacle = obstacleOf(target, id, host);
      if (obstacle) return answer(target, obstacle.verdict, obstacle.reason);
      return { disk: target, verdict: "incremental", from: id, estimatedBytes: bitmap.dirtyBytes, reason: null };
    }
    firstReason ??= bitmap ? reasonOf(bitmap) : "bitmap-missing";
  }
  return answer(target, "full", firstReason ?? "not-covered");
}

function reasonOf(bitmap: DiskBitmap): VerdictReason {
  switch (bitmap.state) {
    case "inconsistent":
      return "bitmap-inconsistent";
    case "gap":
      return "bitmap-gap";
    case "not-persistent":
      return "bitmap-not-persistent";
    default:
      return "bitmap-not-recording";
  }
}

/** libvirt takes a base only from its own list; a wrong definition there validates the wrong thing. */
function obstacleOf(target: string, id: string, host: Host) {
  if (host === "absent") return null;
  if (!host.ok) return { verdict: "unknown", reason: "metadata-not-read" } as const;
  const listed = host.value.get(id);
  if (!listed) return { verdict: "blocked", reason: "metadata-missing" } as const;
  const right = listed.hasDisksElement && listed.disks.some((disk) => disk.target === target && disk.bitmap === id);
  return right ? null : ({ verdict: "blocked", reason: "metadata-differs" } as const);
}
