/** What a plan looks at, computed once: the witnesses by name, and what of them was not read. */
import { type BitmapView, isHealthy, viewBitmaps } from "../bitmaps.ts";
import { remadeBitmaps } from "../findings/remade.ts";
import { unsupportedReason } from "../findings/unsupported.ts";
import type {
  BitmapState,
  DiskLayer,
  DiskObservation,
  Finding,
  HostCheckpoint,
  Observation,
  ObserveErrorCode,
  Read,
  RecordCheckpoint,
  VmRecord,
} from "../model.ts";
import { orderCheckpoints } from "../order.ts";
import { byId } from "../tree.ts";
import { isLive, readCheckpoints, readLayers } from "../trust.ts";
import { LOST_BY_LIBVIRT } from "../words/findings.ts";
import type { BitmapName } from "./model.ts";

/** The backup that counts as running and is stuck; one that libvirt itself has lost is no obstacle but to a backup. */
export function findStuck(findings: readonly Finding[]): Finding | undefined {
  return findings.find(({ kind, reason }) => kind === "backup.stuck" && reason !== LOST_BY_LIBVIRT);
}

/** The two things that a plan changes. Values: every change makes new ones. */
export type PlanState = { record: VmRecord; observation: Observation };

export type DiskFacts = {
  observed: DiskObservation;
  layers: Read<DiskLayer[]>;
  /** By name; null when they were not read. */
  bitmaps: ReadonlyMap<string, BitmapView> | null;
  unsupported: string | null;
};

export type PlanFacts = PlanState & {
  live: boolean;
  recorded: ReadonlyMap<string, RecordCheckpoint>;
  /** Parents first. */
  ordered: readonly RecordCheckpoint[];
  host: Read<ReadonlyMap<string, HostCheckpoint>>;
  disks: ReadonlyMap<string, DiskFacts>;
  retired: ReadonlySet<string>;
};

/** What can be said of a checkpoint's bitmap on one disk. Only the first two are healthy. */
export type CoverState =
  | BitmapState
  | "missing"
  | "gone"
  | "retired"
  | "unsupported"
  | "unreadable"
  | "forbidden"
  | "unread";

export function planFacts({ record, observation }: PlanState): PlanFacts {
  const read = readCheckpoints(observation);
  return {
    record,
    observation,
    live: isLive(observation),
    recorded: byId(record.checkpoints),
    ordered: orderCheckpoints(record.checkpoints).ordered,
    host: read.ok ? { ok: true, value: byId(read.value) } : read,
    disks: new Map(observation.disks.map((disk) => [disk.target, diskFacts(observation, disk)])),
    retired: new Set(record.disks.filter((disk) => disk.retiredAt !== null).map((disk) => disk.target)),
  };
}

function diskFacts(observation: Observation, observed: DiskObservation): DiskFacts {
  const layers = readLayers(observation, observed);
  const bitmaps = layers.ok ? viewBitmaps(observed.target, layers.value) : null;
  return { observed, layers, bitmaps, unsupported: unsupportedReason(observed, layers) };
}

export function listedOf(facts: PlanFacts, id: string): HostCheckpoint | undefined {
  return facts.host.ok ? facts.host.value.get(id) : undefined;
}

export function hasBitmap(facts: PlanFacts, target: string, name: string): boolean {
  return facts.disks.get(target)?.bitmaps?.has(name) ?? false;
}

export function coverState(facts: PlanFacts, id: string, target: string): CoverState {
  if (facts.retired.has(target)) return "retired";
  const disk = facts.disks.get(target);
  if (!disk) return "gone";
  if (!disk.layers.ok) return unreadState(disk.layers.error.code);
  if (disk.unsupported !== null) return "unsupported";
  return disk.bitmaps?.get(id)?.state ?? "missing";
}

function unreadState(code: ObserveErrorCode): CoverState {
  if (code === "unreadable") return "unreadable";
  return code === "qmp-forbidden" ? "forbidden" : "unread";
}

export function isHealthyState(state: CoverState): boolean {
  return state === "recording" || state === "busy";
}

/** Attached and expected: what a definition names. */
export function countsHere(facts: PlanFacts, target: string): boolean {
  return facts.disks.has(target) && !facts.retired.has(target);
}

/** Made by a backup that finished, or by another manager; the same rule as the verdict's. */
export function isFinishedBase(item: RecordCheckpoint): boolean {
  return item.state === "active" && (item.backup === null || item.backup === "finished");
}

/** Disks none of whose bitmaps may be used, as the verdict has it. */
export function distrustedDisks(findings: readonly Finding[]): Map<string, "replaced" | "rewound"> {
  const distrusted = new Map<string, "replaced" | "rewound">();
  for (const { kind, subject, acknowledged } of findings) {
    if (subject.disk === null) continue;
    if (kind === "bitmap.rewound" && !distrusted.has(subject.disk)) distrusted.set(subject.disk, "rewound");
    if (kind === "disk.replaced" && !acknowledged) distrusted.set(subject.disk, "replaced");
  }
  return distrusted;
}

/** Every pair of finished checkpoint and disk whose bitmap is healthy: what can be the base of a backup, now or after a redefine. */
export function usableBases(facts: PlanFacts, findings: readonly Finding[]): BitmapName[] {
  const distrusted = distrustedDisks(findings);
  const remade = remadeBitmaps(findings);
  const bases: BitmapName[] = [];
  for (const item of facts.ordered) {
    if (!isFinishedBase(item)) continue;
    for (const { target } of item.disks) {
      if (distrusted.has(target) || facts.retired.has(target) || remade.has(`${item.id}|${target}`)) continue;
      const disk = facts.disks.get(target);
      const bitmap = disk?.unsupported === null ? disk.bitmaps?.get(item.id) : undefined;
      if (bitmap && isHealthy(bitmap)) bases.push({ disk: target, bitmap: item.id });
    }
  }
  return bases;
}
