/**
 * A small world of the three witnesses that a plan can be run on, written apart from the planner's own model and
 * stricter than it: what libvirt, the agent or the database would refuse throws here. For tests only.
 */
import { assertNever } from "../../assert-never.ts";
import { isHealthy, viewBitmaps } from "../../bitmaps.ts";
import { carryProofs, findDrift } from "../../findings/index.ts";
import type { DiskObservation, DriftInput, Finding, HostCheckpoint, RecordCheckpoint } from "../../model.ts";
import type { CheckpointDefinition, PlanAction } from "../model.ts";

/** Where the run ends: after `actions` whole ones and `items` of the next, if the host does that one item by item. */
export type Cut = { actions: number; items: number };

/** The world after the actions; the given one is not changed. */
export function applyActions(world: DriftInput, actions: readonly PlanAction[], cut?: Cut): DriftInput {
  const next = structuredClone(world);
  const whole = cut ? actions.slice(0, cut.actions) : actions;
  for (const action of whole) applyAction(next, action);
  const torn = cut && actions[cut.actions];
  if (torn) applyPart(next, torn, cut.items);
  return next;
}

/** What the engine says of a world: `findDrift`, and the proofs that stood before. */
export function findingsOf(world: DriftInput, previous: readonly Finding[]): Finding[] {
  const { observation, record } = world;
  return carryProofs({ previous, current: findDrift(world), observation, record });
}

/** A database transaction is done or not; the host works through its lists one by one. */
function applyPart(world: DriftInput, action: PlanAction, items: number): void {
  if (action.verb === "host.redefine") {
    applyAction(world, { ...action, checkpoints: action.checkpoints.slice(0, items) });
  } else if (action.verb === "host.delete-checkpoints") {
    applyAction(world, { ...action, ids: action.ids.slice(0, items) });
  } else if (action.verb === "host.delete-bitmaps") {
    applyAction(world, { ...action, items: action.items.slice(0, items) });
  }
}

function applyAction(world: DriftInput, action: PlanAction): undefined {
  const { record, observation } = world;
  switch (action.verb) {
    case "host.redefine":
      return redefine(world, action);
    case "host.delete-checkpoints":
      action.ids.forEach((id, index) => {
        const later = new Set(action.ids.slice(index + 1));
        if (hostList(world).some((item) => item.parentId === id && later.has(item.id)))
          throw new Error(`${id} is no leaf`);
        deleteCheckpoint(world, id);
      });
      return;
    case "host.delete-bitmaps":
      for (const { disk, bitmap } of action.items) {
        dropBitmap(world, disk, bitmap);
        if (isHeld(world, disk, bitmap)) throw new Error(`${bitmap} is still on ${disk}`);
      }
      return;
    case "host.abort-job":
      if (!observation.job.ok || observation.job.value.operation === "none") throw new Error("there is no job");
      observation.job.value = { operation: "none", elapsedMs: 0, doneBytes: null, totalBytes: null };
      return;
    case "host.backup":
      return backUp(world, action);
    case "record.mark-deleting":
      for (const id of action.ids) rowOf(world, id).state = "deleting";
      return;
    case "record.delete":
      for (const id of action.ids) deleteRow(world, id);
      return;
    case "record.drop-disks":
      for (const { checkpointId, disk } of action.items) {
        const row = rowOf(world, checkpointId);
        if (!row.disks.some(({ target }) => target === disk)) throw new Error(`${checkpointId} does not cover ${disk}`);
        row.disks = row.disks.filter(({ target }) => target !== disk);
        if (row.disks.length === 0) throw new Error(`${checkpointId} covers nothing`);
      }
      return;
    case "record.adopt":
      for (const item of action.checkpoints) adopt(world, item);
      return;
    case "record.relink":
      for (const { checkpointId, parentId } of action.items) {
        if (parentId !== null) rowOf(world, parentId);
        rowOf(world, checkpointId).parentId = parentId;
      }
      return;
    case "record.accept-images":
      for (const target of action.disks) acceptImage(world, target);
      return;
    case "record.retire-disks":
      for (const target of action.disks) {
        const disk = record.disks.find((candidate) => candidate.target === target);
        if (!disk) throw new Error(`no recorded disk ${target}`);
        disk.retiredAt = observation.observedAt;
      }
      return;
    case "record.acknowledge":
      record.acknowledged.push(...action.findingIds);
      return;
    case "record.close-backup": {
      if (!world.runningBackup) throw new Error("no backup is recorded as running");
      const row = record.checkpoints.find(({ backup }) => backup === "running");
      if (row) row.backup = "failed";
      world.runningBackup = null;
      return;
    }
    case "prove":
      return;
    default:
      assertNever(action);
  }
}

function hostList(world: DriftInput): HostCheckpoint[] {
  if (!world.observation.checkpoints.ok) throw new Error("libvirt's list is not known");
  return world.observation.checkpoints.value;
}

function diskOf(world: DriftInput, target: string): DiskObservation {
  const disk = world.observation.disks.find((candidate) => candidate.target === target);
  if (!disk) throw new Error(`no disk ${target}`);
  return disk;
}

function rowOf(world: DriftInput, id: string): RecordCheckpoint {
  const row = world.record.checkpoints.find((candidate) => candidate.id === id);
  if (!row) throw new Error(`${id} is not recorded`);
  return row;
}

function isWhole(world: DriftInput, target: string, name: string): boolean {
  if (!world.observation.disks.some((disk) => disk.target === target)) return false;
  const { layers } = diskOf(world, target);
  if (!layers.ok) return layers.error.code === "qmp-forbidden";
  const bitmap = viewBitmaps(target, layers.value).get(name);
  return bitmap !== undefined && isHealthy(bitmap);
}

/** The agent: nothing that is not healthy, everything or nothing when strict; libvirt: parents first. */
function redefine(world: DriftInput, { mode, checkpoints }: Extract<PlanAction, { verb: "host.redefine" }>): undefined {
  const list = hostList(world);
  const sound = ({ id, disks }: CheckpointDefinition) => disks.every((target) => isWhole(world, target, id));
  if (mode === "strict" && !checkpoints.every(sound)) throw new Error("strict: not every bitmap is healthy");
  const under = new Map<string | null, string | null>([[null, null]]);
  for (const item of checkpoints) {
    if (item.disks.length === 0) throw new Error(`${item.id} names no disk`);
    const parentId = under.get(item.parentId);
    if (parentId === undefined) throw new Error(`parent ${item.parentId} of ${item.id} is not in the list before it`);
    if (parentId !== null && !list.some(({ id }) => id === parentId)) throw new Error(`error 8: ${parentId}`);
    const known = list.find(({ id }) => id === item.id);
    if (!sound(item)) {
      under.set(item.id, known?.parentId === parentId ? item.id : parentId);
      continue;
    }
    under.set(item.id, item.id);
    const { id, createdAt } = item;
    const definition = { parentId, createdAt, hasDisksElement: true };
    const disks = item.disks.map((target) => ({ target, bitmap: id }));
    if (known) Object.assign(known, definition, { disks });
    else list.push({ id, ...definition, current: false, disks });
  }
}

function unlist(world: DriftInput, id: string): void {
  const list = hostList(world);
  const at = list.findIndex((item) => item.id === id);
  const [item] = at < 0 ? [] : list.splice(at, 1);
  if (item) for (const child of list) if (child.parentId === id) child.parentId = item.parentId;
}

/** From every layer, also where the active one has none. */
function dropBitmap(world: DriftInput, target: string, name: string): void {
  const { layers } = diskOf(world, target);
  if (!layers.ok) throw new Error(`${target} was not read`);
  for (const layer of layers.value) layer.bitmaps = layer.bitmaps.filter((bitmap) => bitmap.name !== name);
}

function isHeld(world: DriftInput, target: string, name: string): boolean {
  const disk = world.observation.disks.find((candidate) => candidate.target === target);
  return disk?.layers.ok === true && viewBitmaps(target, disk.layers.value).has(name);
}

/** Bitmaps first, on every disk that was read. */
function deleteCheckpoint(world: DriftInput, id: string): void {
  const item = hostList(world).find((candidate) => candidate.id === id);
  if (!item) return;
  for (const { target, layers } of world.observation.disks) {
    if (layers.ok) dropBitmap(world, target, id);
    else if (item.disks.some((disk) => disk.target === target)) throw new Error(`${target} was not read`);
  }
  unlist(world, id);
}

/** No row may go while the host still has something of it: that would be a bitmap without an owner. */
function deleteRow(world: DriftInput, id: string): void {
  const row = rowOf(world, id);
  if (row.state !== "deleting") throw new Error(`${id} was not marked`);
  if (hostList(world).some((item) => item.id === id)) throw new Error(`${id} is still listed`);
  for (const { target } of row.disks) {
    if (isHeld(world, target, id)) throw new Error(`${id} is still on ${target}`);
  }
  world.record.checkpoints = world.record.checkpoints.filter((item) => item !== row);
  for (const child of world.record.checkpoints) if (child.parentId === id) child.parentId = row.parentId;
}

function adopt(world: DriftInput, { id, parentId, createdAt, disks }: CheckpointDefinition): void {
  const { record } = world;
  if (record.checkpoints.some((item) => item.id === id)) throw new Error(`${id} is recorded`);
  if (parentId !== null) rowOf(world, parentId);
  for (const target of disks) if (!isWhole(world, target, id)) throw new Error(`${id} is not healthy on ${target}`);
  const before = record.checkpoints.filter((item) => item.createdAt <= createdAt).map(({ sequence }) => sequence);
  const sequence = Math.max(0, ...before) + 1;
  for (const item of record.checkpoints) if (item.sequence >= sequence) item.sequence += 1;
  const covered = disks.map((target) => ({ target, granularity: null }));
  const row = { id, parentId, createdAt, sequence, disks: covered, backup: null } as const;
  record.checkpoints.push({ ...row, disks: covered, state: "active", origin: "adopted" });
}

function acceptImage(world: DriftInput, target: string): void {
  const disk = world.record.disks.find((candidate) => candidate.target === target);
  if (!disk) throw new Error(`no recorded disk ${target}`);
  disk.identity = structuredClone(diskOf(world, target).identity);
  disk.identityHostId = world.hostId;
  world.samples = world.samples.filter((sample) => sample.target !== target);
}

function backUp(world: DriftInput, action: Extract<PlanAction, { verb: "host.backup" }>): undefined {
  const { record, observation } = world;
  const list = hostList(world);
  for (const { target, mode, base } of action.disks) {
    if ((mode === "incremental") !== (base !== null)) throw new Error(`${target}: mode and base disagree`);
    if (base === null) continue;
    if (!list.some((item) => item.id === base)) throw new Error(`libvirt does not list the base ${base}`);
    if (!isWhole(world, target, base)) throw new Error(`code 109: ${base} on ${target}`);
  }
  const covered = action.disks.filter(({ inCheckpoint }) => inCheckpoint).map(({ target }) => target);
  if (covered.length === 0) return;
  const { checkpointId: id, parentId } = action;
  const createdAt = observation.observedAt;
  for (const target of covered) {
    const { layers, format } = diskOf(world, target);
    if (format !== "qcow2") throw new Error(`${target} cannot hold a bitmap`);
    const top = layers.ok ? layers.value.find(({ depth }) => depth === 0) : undefined;
    const flags = { recording: true, busy: false, persistent: true, inconsistent: false };
    top?.bitmaps.push({ name: id, ...flags, dirtyBytes: 0, granularity: 65_536 });
  }
  const current = list.find((item) => item.current);
  if (current) current.current = false;
  const disks = covered.map((target) => ({ target, bitmap: id }));
  list.push({ id, parentId: current?.id ?? null, createdAt, current: true, hasDisksElement: true, disks });
  const sequence = Math.max(0, ...record.checkpoints.map((item) => item.sequence)) + 1;
  const row = { id, parentId, createdAt, sequence, disks: covered.map((target) => ({ target, granularity: null })) };
  record.checkpoints.push({ ...row, state: "active", origin: "driftline", backup: "finished" });
  for (const disk of record.disks) if (covered.includes(disk.target)) disk.retiredAt = null;
}
