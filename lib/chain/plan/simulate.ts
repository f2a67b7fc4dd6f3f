/** What is so after an action went well. Exactly what the engine and the agent promise to do, on values. */
import { assertNever } from "../assert-never.ts";
import type { DiskObservation, HostCheckpoint, Observation, RecordCheckpoint, VmRecord } from "../model.ts";
import { orderCheckpoints } from "../order.ts";
import { type PlanState, planFacts } from "./facts.ts";
import type { BitmapName, CheckpointDefinition, PlanAction } from "./model.ts";
import { redefinitionOf } from "./redefinition.ts";

export function simulateAll(state: PlanState, actions: readonly PlanAction[]): PlanState {
  return actions.reduce(simulate, state);
}

/** Linear in the size of the VM. Nothing of `state` is changed. */
export function simulate(state: PlanState, action: PlanAction): PlanState {
  const { record, observation } = state;
  const withRecord = (next: VmRecord): PlanState => ({ record: next, observation });
  const withHost = (next: Observation): PlanState => ({ record, observation: next });
  switch (action.verb) {
    case "host.redefine":
      return withHost(redefined(observation, redefinitionOf(planFacts(state), action.checkpoints)));
    case "host.delete-checkpoints":
      return withHost(deletedCheckpoints(state, action.ids));
    case "host.delete-bitmaps":
      return withHost(withoutBitmaps(state, action.items));
    case "host.abort-job":
      return withHost({ ...observation, job: { ok: true, value: NO_JOB } });
    case "host.backup":
      return backedUp(state, action);
    case "record.mark-deleting":
      return withRecord(mapCheckpoints(record, action.ids, (item) => ({ ...item, state: "deleting" })));
    case "record.delete":
      return withRecord(deletedRows(record, action.ids));
    case "record.drop-disks":
      return withRecord(droppedDisks(record, action.items));
    case "record.adopt":
      return withRecord(adopted(record, action.checkpoints));
    case "record.relink": {
      const parents = new Map(action.items.map((item) => [item.checkpointId, item.parentId]));
      return withRecord(
        mapCheckpoints(record, [...parents.keys()], (item) => ({ ...item, parentId: parents.get(item.id) ?? null })),
      );
    }
    case "record.accept-images":
      return withRecord(acceptedImages(record, observation, action.disks));
    case "record.retire-disks": {
      const gone = new Set(action.disks);
      const known = new Set(record.disks.map(({ target }) => target));
      const at = observation.observedAt;
      const unknown = [...gone].filter((target) => !known.has(target));
      const rows = unknown.map((target) => ({
        target,
        identity: null,
        identityHostId: null,
        firstSeenAt: at,
        retiredAt: at,
      }));
      const disks = record.disks.map((disk) => (gone.has(disk.target) ? { ...disk, retiredAt: at } : disk));
      return withRecord({ ...record, disks: [...disks, ...rows] });
    }
    case "record.acknowledge":
      return withRecord({ ...record, acknowledged: [...new Set([...record.acknowledged, ...action.findingIds])] });
    case "record.close-backup":
      return withRecord({
        ...record,
        checkpoints: record.checkpoints.map((item) =>
          item.backup === "running" ? { ...item, backup: "failed" } : item,
        ),
      });
    case "prove":
      return state;
    default:
      return assertNever(action);
  }
}

const NO_JOB = { operation: "none", elapsedMs: 0, doneBytes: null, totalBytes: null } as const;

function mapCheckpoints(
  record: VmRecord,
  ids: readonly string[],
  change: (item: RecordCheckpoint) => RecordCheckpoint,
): VmRecord {
  const named = new Set(ids);
  return { ...record, checkpoints: record.checkpoints.map((item) => (named.has(item.id) ? change(item) : item)) };
}

/** The nearest ancestor that stays. */
function relinked<T extends { id: string; parentId: string | null }>(list: readonly T[], ids: readonly string[]): T[] {
  const gone = new Set(ids);
  const parentOf = new Map(list.map((item) => [item.id, item.parentId]));
  const stays = new Map<string, string | null>();
  const resolve = (start: string | null): string | null => {
    const path: string[] = [];
    const seen = new Set<string>();
    let at = start;
    while (at !== null && gone.has(at) && !stays.has(at) && !seen.has(at)) {
      seen.add(at);
      path.push(at);
      at = parentOf.get(at) ?? null;
    }
    const end = at === null ? null : gone.has(at) ? (stays.get(at) ?? null) : at;
    for (const id of path) stays.set(id, end);
    return end;
  };
  return list.flatMap((item) => {
    if (gone.has(item.id)) return [];
    const parentId = resolve(item.parentId);
    return [parentId === item.parentId ? item : { ...item, parentId }];
  });
}

function deletedRows(record: VmRecord, ids: readonly string[]): VmRecord {
  return { ...record, checkpoints: relinked(record.checkpoints, ids) };
}

function droppedDisks(record: VmRecord, items: readonly { checkpointId: string; disk: string }[]): VmRecord {
  const drop = new Set(items.map((item) => `${item.disk}\n${item.checkpointId}`));
  return mapCheckpoints(
    record,
    items.map((item) => item.checkpointId),
    (item) => ({ ...item, disks: item.disks.filter(({ target }) => !drop.has(`${target}\n${item.id}`)) }),
  );
}

/** The order of age stays the order of sequence, so that an adopted old one does not become the newest. */
function adopted(record: VmRecord, list: readonly CheckpointDefinition[]): VmRecord {
  const rows = list.map(
    (item): RecordCheckpoint => ({
      ...item,
      sequence: 0,
      state: "active",
      origin: "adopted",
      disks: item.disks.map((target) => ({ target, granularity: null })),
      backup: null,
    }),
  );
  const aged = [...record.checkpoints, ...rows].map(({ sequence: _, ...item }) => item);
  const { ordered } = orderCheckpoints(aged, { byAge: true });
  return { ...record, checkpoints: ordered.map((item, index) => ({ ...item, sequence: index + 1 })) };
}

function acceptedImages(record: VmRecord, observation: Observation, targets: readonly string[]): VmRecord {
  const accepted = new Map(
    observation.disks.filter(({ target }) => targets.includes(target)).map((disk) => [disk.target, disk.identity]),
  );
  const disks = record.disks.map((disk) => {
    const identity = accepted.get(disk.target);
    // Whatever host it was read on: compared with itself it is equal.
    return identity ? { ...disk, identity: { ...identity } } : disk;
  });
  return { ...record, disks };
}

function withList(observation: Observation, change: (list: HostCheckpoint[]) => HostCheckpoint[]): Observation {
  const { checkpoints } = observation;
  return checkpoints.ok ? { ...observation, checkpoints: { ok: true, value: change(checkpoints.value) } } : observation;
}

function redefined(observation: Observation, list: readonly CheckpointDefinition[]): Observation {
  return withList(observation, (before) => {
    const all = new Map(before.map((item) => [item.id, item]));
    for (const item of list) {
      const disks = item.disks.map((target) => ({ target, bitmap: item.id }));
      const current = all.get(item.id)?.current ?? false;
      const { id, parentId, createdAt } = item;
      all.set(id, { id, parentId, createdAt, current, hasDisksElement: true, disks });
    }
    return [...all.values()];
  });
}

/** Every bitmap of their name goes with them, whatever the definition says. */
function deletedCheckpoints(state: PlanState, ids: readonly string[]): Observation {
  const { checkpoints, disks } = state.observation;
  if (!checkpoints.ok) return state.observation;
  const gone = new Set(ids);
  const listed = checkpoints.value.filter(({ id }) => gone.has(id));
  const bitmaps = listed.flatMap(({ id }) => disks.map(({ target }) => ({ disk: target, bitmap: id })));
  return withList(withoutBitmaps(state, bitmaps), (list) => relinked(list, ids));
}

/** From every layer; definitions stay as they are. */
function withoutBitmaps({ observation }: PlanState, items: readonly BitmapName[]): Observation {
  const byDisk = new Map<string, Set<string>>();
  for (const { disk, bitmap } of items) {
    const names = byDisk.get(disk);
    if (names) names.add(bitmap);
    else byDisk.set(disk, new Set([bitmap]));
  }
  const disks = observation.disks.map((disk): DiskObservation => {
    const names = byDisk.get(disk.target);
    if (!names || !disk.layers.ok) return disk;
    const value = disk.layers.value.map((layer) => ({
      ...layer,
      bitmaps: layer.bitmaps.filter(({ name }) => !names.has(name)),
    }));
    return { ...disk, layers: { ok: true, value } };
  });
  return { ...observation, disks };
}

const DEFAULT_GRANULARITY = 65_536;

function backedUp(state: PlanState, action: Extract<PlanAction, { verb: "host.backup" }>): PlanState {
  const { record, observation } = state;
  const covered = action.disks.filter((disk) => disk.inCheckpoint).map(({ target }) => target);
  if (covered.length === 0) return state;
  const id = action.checkpointId;
  const sequence = record.checkpoints.reduce((highest, item) => Math.max(highest, item.sequence), 0) + 1;
  const createdAt = observation.observedAt;
  const row: RecordCheckpoint = {
    id,
    parentId: action.parentId,
    createdAt,
    sequence,
    state: "active",
    origin: "driftline",
    disks: covered.map((target) => ({ target, granularity: null })),
    backup: "finished",
  };
  const bitmap = {
    name: id,
    recording: true,
    busy: false,
    persistent: true,
    inconsistent: false,
    dirtyBytes: 0,
    granularity: DEFAULT_GRANULARITY,
  };
  const disks = observation.disks.map((disk): DiskObservation => {
    if (!covered.includes(disk.target) || !disk.layers.ok) return disk;
    const value = disk.layers.value.map((layer) =>
      layer.depth === 0 ? { ...layer, bitmaps: [...layer.bitmaps, bitmap] } : layer,
    );
    return { ...disk, layers: { ok: true, value } };
  });
  const listed = withList({ ...observation, disks }, (list) => {
    // libvirt puts it under its own current one, whatever the record thinks.
    const parentId = list.find((item) => item.current)?.id ?? null;
    const others = list.map((item) => (item.current ? { ...item, current: false } : item));
    const named = covered.map((target) => ({ target, bitmap: id }));
    return [...others, { id, parentId, createdAt, current: true, hasDisksElement: true, disks: named }];
  });
  // What a new base covers is expected again.
  const expected = record.disks.map((disk) => (covered.includes(disk.target) ? { ...disk, retiredAt: null } : disk));
  return { record: { ...record, disks: expected, checkpoints: [...record.checkpoints, row] }, observation: listed };
}
