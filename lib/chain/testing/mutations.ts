/**
 * One way of drifting for every kind of finding. Each changes a healthy input in place as the real cause would, and
 * says which findings must follow: exactly these. null: this input does not have what it takes.
 */
import { findingId } from "../findings/index.ts";
import type { DiskLayer, DriftInput, FindingKind, HostCheckpoint, RecordCheckpoint } from "../model.ts";
import { GIB, healthyBitmap, hour, KIB, OTHER_HOST } from "./healthy.ts";

/** A number below `count`, as the test's generator wants it. */
export type Pick = (count: number) => number;
export type Mutation = (input: DriftInput, pick: Pick) => string[] | null;

export const MUTATIONS: Readonly<Record<FindingKind, Mutation>> = {
  "metadata.missing": (input, pick) => {
    const list = hostList(input);
    const item = one(list, pick);
    list.splice(list.indexOf(item), 1);
    for (const child of list) if (child.parentId === item.id) child.parentId = item.parentId;
    return [findingId("metadata.missing", item.id, null, null)];
  },
  "metadata.unknown": (input, pick) => {
    const list = hostList(input);
    const parent = one(list, pick);
    const id = "virtnbdbackup.0";
    // Made in the middle: libvirt's later checkpoints hang on it.
    if (pick(2) === 1) for (const child of list) if (child.parentId === parent.id) child.parentId = id;
    const disks = parent.disks.map(({ target }) => ({ target, bitmap: id }));
    list.push({ id, parentId: parent.id, createdAt: hour(50), current: false, hasDisksElement: true, disks });
    for (const { target } of disks) topOf(input, target).bitmaps.push(healthyBitmap(id, null));
    return [findingId("metadata.unknown", id, null, null)];
  },
  "metadata.parent-differs": (input, pick) => {
    const item = one(hostList(input), pick);
    const older = hostList(input).filter((other) => other.createdAt < item.createdAt && other.id !== item.parentId);
    const parents = [...older.map(({ id }) => id), ...(item.parentId === null ? [] : [null])];
    if (parents.length === 0) return null;
    item.parentId = one(parents, pick);
    return [findingId("metadata.parent-differs", item.id, null, null)];
  },
  "metadata.disks-differ": (input, pick) => {
    const item = one(hostList(input), pick);
    if (item.disks.length > 1 && pick(2) === 1) item.disks.splice(pick(item.disks.length), 1);
    else {
      item.disks = [];
      item.hasDisksElement = false;
    }
    return [findingId("metadata.disks-differ", item.id, null, null)];
  },
  "metadata.bitmap-name-differs": (input, pick) => {
    const item = one(hostList(input), pick);
    const disk = one(item.disks, pick);
    disk.bitmap = "another";
    return [findingId("metadata.bitmap-name-differs", item.id, disk.target, "another")];
  },
  "bitmap.missing": (input, pick) => {
    const { item, target } = covered(input, pick);
    for (const layer of layersOf(input, target)) layer.bitmaps = layer.bitmaps.filter(({ name }) => name !== item.id);
    return [findingId("bitmap.missing", item.id, target, item.id)];
  },
  "bitmap.inconsistent": (input, pick) => onBitmap(input, pick, "bitmap.inconsistent", { inconsistent: true }),
  "bitmap.not-recording": (input, pick) => onBitmap(input, pick, "bitmap.not-recording", { recording: false }),
  "bitmap.not-persistent": (input, pick) => onBitmap(input, pick, "bitmap.not-persistent", { persistent: false }),
  "bitmap.gap": (input, pick) => {
    const { item, target } = covered(input, pick);
    const disk = diskOf(input, target);
    const layers = layersOf(input, target);
    const top = topOf(input, target);
    // A snapshot that carried on every bitmap but one.
    const path = `${top.path}.snap`;
    const bitmaps = top.bitmaps.filter(({ name }) => name !== item.id).map((bitmap) => ({ ...bitmap }));
    for (const layer of layers) layer.depth += 1;
    layers.unshift({ ...top, depth: 0, path, bitmaps });
    disk.source = path;
    disk.identity = { path, device: "253:1", inode: "999", size: 10 * GIB };
    return [findingId("bitmap.gap", item.id, target, item.id)];
  },
  "bitmap.unknown": (input, pick) => {
    const { target } = one(input.observation.disks, pick);
    const layer = one(layersOf(input, target), pick);
    layer.bitmaps.push(healthyBitmap("stray", null));
    return [findingId("bitmap.unknown", null, target, "stray")];
  },
  "bitmap.rewound": (input, pick) => {
    if (input.observation.source !== "qmp") return null;
    const { item, target } = covered(input, pick);
    const top = topOf(input, target);
    const bitmap = top.bitmaps.find(({ name }) => name === item.id);
    if (!bitmap || bitmap.dirtyBytes === null) return null;
    const { granularity } = bitmap;
    const dirtyBytes = bitmap.dirtyBytes + granularity;
    const samples = [
      { target, bitmap: item.id, layerPath: top.path, dirtyBytes, granularity, at: hour(1), runtimeId: "run-0" },
    ];
    input.samples.push(...samples);
    return [findingId("bitmap.rewound", item.id, target, item.id)];
  },
  "bitmap.granularity-differs": (input, pick) => {
    const { item, disk } = covered(input, pick);
    disk.granularity = 128 * KIB;
    return [findingId("bitmap.granularity-differs", item.id, disk.target, item.id)];
  },
  "disk.added": (input) => {
    const path = "/var/lib/images/new.qcow2";
    const identity = { path, device: "253:1", inode: "777", size: GIB };
    const layers = [{ depth: 0, path, format: "qcow2", qcow2Compat: "1.1", bitmaps: [] }];
    const disk = { target: "vdz", source: path, format: "qcow2", virtualSize: GIB, identity };
    input.observation.disks.push({ ...disk, layers: { ok: true, value: layers } });
    return [findingId("disk.added", null, "vdz", null)];
  },
  "disk.gone": (input, pick) => {
    const { target } = covered(input, pick);
    input.observation.disks = input.observation.disks.filter((disk) => disk.target !== target);
    return [findingId("disk.gone", null, target, null)];
  },
  "disk.replaced": (input, pick) => {
    const { target, identity } = one(input.observation.disks, pick);
    if (!identity) return null;
    const ways = [
      () => Object.assign(identity, { path: "/elsewhere.qcow2" }),
      () => Object.assign(identity, { inode: "4242" }),
      () => Object.assign(identity, { device: "8:1" }),
    ];
    one(ways, pick)();
    return [findingId("disk.replaced", null, target, null)];
  },
  "disk.unsupported": (input, pick) => {
    const disk = one(input.observation.disks, pick);
    const top = topOf(input, disk.target);
    if (pick(2) === 1) Object.assign(top, { format: "raw", qcow2Compat: null });
    else top.qcow2Compat = "0.10";
    disk.format = top.format;
    top.bitmaps = [];
    return [findingId("disk.unsupported", null, disk.target, null)];
  },
  "disk.unreadable": (input, pick) => {
    const disk = one(input.observation.disks, pick);
    const error = {
      code: "unreadable",
      message: "QEMU does not open it",
      hostMessage: "Bitmap name is empty",
    } as const;
    disk.layers = { ok: false, error: { ...error, retryable: false } };
    return [findingId("disk.unreadable", null, disk.target, null)];
  },
  "checkpoint.unfinished": (input, pick) => {
    const item = one(input.record.checkpoints, pick);
    const ways = [{ backup: "failed" }, { backup: "aborted" }, { state: "creating" }, { state: "deleting" }] as const;
    Object.assign(item, one(ways, pick));
    return [findingId("checkpoint.unfinished", item.id, null, null)];
  },
  "record.missing-parent": (input, pick) => {
    const item = one(input.record.checkpoints, pick);
    item.parentId = "ghost";
    return [findingId("record.missing-parent", item.id, null, null)];
  },
  "record.cycle": (input, pick) => {
    const known = new Map(input.record.checkpoints.map((item) => [item.id, item]));
    const item = one(input.record.checkpoints, pick);
    let root: RecordCheckpoint = item;
    while (root.parentId !== null) root = known.get(root.parentId) ?? { ...root, parentId: null };
    root.parentId = item.id;
    return [findingId("record.cycle", root.id, null, null)];
  },
  "vm.two-hosts": (input) => {
    if (input.observation.power === "shut-off") return null;
    input.activeElsewhere = [{ hostId: OTHER_HOST, hostName: "beta", observedAt: input.observation.observedAt }];
    return [findingId("vm.two-hosts", null, null, null)];
  },
  "backup.stuck": (input, pick) => {
    const { observation } = input;
    if (!observation.job.ok) return null;
    const which = pick(3);
    if (which === 2) {
      observation.job.value = { operation: "lost-backup", elapsedMs: 0, doneBytes: null, totalBytes: null };
      return [findingId("backup.stuck", null, null, null)];
    }
    if (which === 1) {
      observation.job.value = { operation: "backup", elapsedMs: input.jobLimitMs + 1, doneBytes: 1, totalBytes: 2 };
      return [findingId("backup.stuck", null, null, null)];
    }
    const item = one(input.record.checkpoints, pick);
    observation.job.value = { operation: "none", elapsedMs: 0, doneBytes: null, totalBytes: null };
    input.runningBackup = { checkpointId: item.id, startedAt: item.createdAt };
    return [findingId("backup.stuck", item.id, null, null)];
  },
};

function onBitmap(
  input: DriftInput,
  pick: Pick,
  kind: FindingKind,
  flags: Partial<DiskLayer["bitmaps"][number]>,
): string[] {
  const { item, target } = covered(input, pick);
  const holding = layersOf(input, target).flatMap((layer) => layer.bitmaps.filter(({ name }) => name === item.id));
  Object.assign(one(holding, pick), flags);
  return [findingId(kind, item.id, target, item.id)];
}

/** Any element; tests never call it with none. */
function one<T>(list: readonly T[], pick: Pick): T {
  const item = list[pick(list.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

function covered(input: DriftInput, pick: Pick) {
  const item = one(input.record.checkpoints, pick);
  const disk = one(item.disks, pick);
  return { item, disk, target: disk.target };
}

function hostList(input: DriftInput): HostCheckpoint[] {
  if (!input.observation.checkpoints.ok) throw new Error("the list is read");
  return input.observation.checkpoints.value;
}

function diskOf(input: DriftInput, target: string) {
  const disk = input.observation.disks.find((candidate) => candidate.target === target);
  if (!disk) throw new Error(`there is a disk ${target}`);
  return disk;
}

function layersOf(input: DriftInput, target: string): DiskLayer[] {
  const { layers } = diskOf(input, target);
  if (!layers.ok) throw new Error("the layers are read");
  return layers.value;
}

function topOf(input: DriftInput, target: string): DiskLayer {
  const top = layersOf(input, target).find((layer) => layer.depth === 0);
  if (!top) throw new Error("there is an active layer");
  return top;
}
