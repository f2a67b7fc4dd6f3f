/** What the three witnesses say, read without the product's own comparison: SQL, virsh, QEMU. Keys are `disk:checkpoint`. */
import type { DiskVerdict } from "#chain/model.ts";
import { readBitmapNames } from "./monitor.ts";
import type { Stage } from "./stage.ts";

export type Witnesses = { record: string[]; libvirt: string[]; bitmaps: string[] };

const keysOf = (list: { id: string; disks: { target: string }[] }[]): string[] =>
  list.flatMap((item) => item.disks.map((disk) => `${disk.target}:${item.id}`)).sort();

export async function readWitnesses(stage: Stage): Promise<Witnesses> {
  const [record, listed, bitmaps] = await Promise.all([
    readRecorded(stage),
    stage.vm.checkpoints(),
    stage.vm.bitmaps(),
  ]);
  // libvirt's own of a backup job, when it was killed as that ended: goes with QEMU, or before the next backup.
  const isHelper = ({ target, name, persistent }: (typeof bitmaps)[number]) =>
    !persistent && name === `backup-${target}`;
  const owned = bitmaps.filter((bitmap) => !isHelper(bitmap));
  const onDisks = new Set(owned.map((bitmap) => `${bitmap.target}:${bitmap.name}`));
  return { record: keysOf(record), libvirt: keysOf(listed), bitmaps: [...onDisks].sort() };
}

export type Recorded = {
  id: string;
  state: string;
  /** How its backup ended; null: it has none. */
  backup: string | null;
  disks: { target: string }[];
};

/** By the order in which they were recorded. */
export async function readRecorded({ engine, vm }: Stage): Promise<Recorded[]> {
  const { rows } = await engine.db.pool.query<{ id: string; state: string; backup: string | null; targets: string[] }>(
    `select c.checkpoint_id as id, c.state,
       (select b.state from vm_backups b where b.vm_id = c.vm_id and b.checkpoint_id = c.checkpoint_id
        order by b.started_at desc limit 1) as backup,
       array(select d.target from vm_checkpoint_disk_map m join disks d on d.id = m.disk_id
        where m.vm_id = c.vm_id and m.checkpoint_id = c.checkpoint_id order by 1) as targets
     from vm_checkpoints c where c.vm_id = $1 order by c.sequence`,
    [vm.id],
  );
  return rows.map(({ targets, ...row }) => ({ ...row, disks: targets.map((target) => ({ target })) }));
}

/**
 * In one statement, so of one moment: a base whose backup has not finished, by the record's states or by what the product
 * would offer as the base of the next backup. Empty as long as all is well, also in the middle of everything.
 */
export async function readFalseBases({ engine, vm }: Stage): Promise<string[]> {
  const { rows } = await engine.db.pool.query<{
    verdicts: DiskVerdict[];
    checkpoints: { id: string; state: string }[] | null;
    backups: { id: string; state: string }[] | null;
  }>(
    `select v.verdicts,
       (select json_agg(json_build_object('id', c.checkpoint_id, 'state', c.state)) from vm_checkpoints c
        where c.vm_id = v.id) as checkpoints,
       (select json_agg(json_build_object('id', b.checkpoint_id, 'state', b.state)) from vm_backups b
        where b.vm_id = v.id and b.checkpoint_id is not null) as backups
     from vms v where v.id = $1`,
    [vm.id],
  );
  const [row] = rows;
  if (!row) return [];
  const unfinished = new Map(row.backups?.flatMap(({ id, state }) => (state === "finished" ? [] : [[id, state]])));
  const states = new Map(row.checkpoints?.map(({ id, state }) => [id, state]));
  const active = [...states].flatMap(([id, state]) =>
    state === "active" && unfinished.has(id) ? [`${id} is active and its backup is ${unfinished.get(id)}`] : [],
  );
  const offered = row.verdicts.flatMap(({ disk, from }) => {
    if (from === null) return [];
    const why = unfinished.get(from) ?? (states.get(from) === "active" ? null : (states.get(from) ?? "not recorded"));
    return why === null ? [] : [`${from} is offered as the base of ${disk} and is ${why}`];
  });
  return [...active, ...offered];
}

/**
 * Bitmaps of which no row tells. A row is there before the host is asked and goes after the host has nothing of it any
 * more, so this too is empty in the middle of everything. A name that was there before and after the record was read
 * without it is no matter of the order of the reads: no name is used twice. `met`: gets every name that was seen.
 */
export async function readOwnerless({ engine, vm, watched }: Stage, met: Set<string>): Promise<string[]> {
  const before = await readBitmapNames(watched);
  if (!before || before.size === 0) return [];
  for (const name of before) met.add(name);
  const { rows } = await engine.db.pool.query<{ id: string }>(
    "select checkpoint_id as id from vm_checkpoints where vm_id = $1",
    [vm.id],
  );
  const unknown = [...before].filter((name) => !rows.some(({ id }) => id === name));
  if (unknown.length === 0) return [];
  const after = await readBitmapNames(watched);
  return unknown.filter((name) => after?.has(name)).map((name) => `${name} is on a disk while no row tells of it`);
}

/** What is there twice, or was done twice. */
export async function readDoubles({ engine, vm }: Stage): Promise<string[]> {
  const { rows } = await engine.db.pool.query<{ words: string }>(
    `select 'recorded twice: ' || checkpoint_id as words from vm_checkpoints where vm_id = $1
       group by checkpoint_id having count(*) > 1
     union all select 'two checkpoints at place ' || sequence from vm_checkpoints where vm_id = $1
       group by sequence having count(*) > 1
     union all select 'two backups of ' || checkpoint_id from vm_backups where vm_id = $1
       group by checkpoint_id having count(*) > 1
     union all select 'two backups of job ' || job_id from vm_backups where vm_id = $1
       group by job_id having count(*) > 1
     union all select 'job ' || j.id || ' (' || j.kind || ') is audited ' || count(a.id) || ' times' from jobs j
       left join audit_log a on a.job_id = j.id and a.action like 'jobs.%'
       where j.vm_id = $1 and j.ended_at is not null group by j.id, j.kind having count(a.id) <> 1`,
    [vm.id],
  );
  return rows.map(({ words }) => words);
}
