/**
 * The whole product on simulated hosts of any size: agents, web process and the embedded database are the real ones,
 * only the driver below the agents reads a file. What the large benches stand on.
 */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { type FleetOptions, makeFleet } from "#agent/simulated/fleet.ts";
import { type SimDomain, writeState } from "#agent/simulated/state.ts";
import { startEmbeddedPostgres } from "#db/embedded.ts";
import { type Db, migrate, openDatabase } from "#db/index.ts";
import { ensureBuild } from "#run/build.ts";
import { type Stack, startStack } from "#run/stack.ts";

export type SimHost = { name: string; path: string; fleet: FleetOptions };
export type Stand = { stack: Stack; db: Db; hosts: SimHost[]; close: () => Promise<void> };

/** VMs recorded by one statement. */
const BATCH = 500;
/** The benches ask for each sweep themselves; nothing runs beside what is measured, and nothing grows stale. */
const POLICY = { observeEverySeconds: 86_400, staleAfterSeconds: 604_800 };

/** The load of the machine, for the head of a table: figures of a busy machine say little. */
export const loadNow = (): string =>
  loadavg()
    .map((one) => one.toFixed(1))
    .join(" ");

/** One statement a table; `$1` holds the VMs of a batch with their checkpoints. Every checkpoint covers every disk. */
const RECORD = [
  `insert into vms (id, name, revision, last_sequence, checkpoint_count)
    select v.id, v.name, v.count, v.count, v.count from vm v`,
  "insert into disks (vm_id, target) select v.id, unnest(v.targets) from vm v",
  `insert into vm_checkpoints (vm_id, checkpoint_id, parent_id, creation_date, sequence, state, origin)
    select v.id, c.value->>'id', c.value->>'parentId', (c.value->>'createdAt')::timestamptz, c.ordinality, 'active', 'registered'
    from vm v, jsonb_array_elements(v.checkpoints) with ordinality c`,
  `insert into vm_checkpoint_disk_map (vm_id, checkpoint_id, disk_id)
    select c.vm_id, c.checkpoint_id, d.id from vm v join vm_checkpoints c on c.vm_id = v.id join disks d on d.vm_id = v.id`,
  // A history of backups: one finished backup a checkpoint, the first of them full.
  `insert into vm_backups (vm_id, checkpoint_id, kind, state, started_at, ended_at, bytes)
    select c.vm_id, c.checkpoint_id, case when c.parent_id is null then 'full' else 'incremental' end, 'finished',
      c.creation_date, c.creation_date + interval '7 minutes', 1048576 * (17 + c.sequence)
    from vm v join vm_checkpoints c on c.vm_id = v.id`,
].map(
  (statement) => `with vm as (select * from
    jsonb_to_recordset($1) as v (id uuid, name text, count int, targets text[], checkpoints jsonb)) ${statement}`,
);

/**
 * Writes the record of every VM before any host is asked, in bulk: through the API (or the functions under it) each
 * checkpoint is a transaction that judges its VM again, which is what they are for, and an hour for ten thousand VMs.
 * That it is the record which the API would have written is seen after the first sweep: every VM must agree.
 */
async function recordFleet(db: Db, domains: SimDomain[]): Promise<void> {
  for (let i = 0; i < domains.length; i += BATCH) {
    const batch = domains.slice(i, i + BATCH).map(({ vmId, name, checkpoints, disks }) => ({
      id: vmId,
      name,
      count: checkpoints.length,
      targets: disks.map((disk) => disk.target),
      checkpoints,
    }));
    for (const statement of RECORD) await db.pool.query(statement, [JSON.stringify(batch)]);
  }
  await db.pool.query("analyze");
}

/** `say` hears one line a step. Rejects with everything taken down again. */
export async function openStand(fleets: FleetOptions[], say: (line: string) => void): Promise<Stand> {
  await ensureBuild(say);
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "dl-bench-")));
  const undo: (() => Promise<unknown>)[] = [async () => rmSync(dir, { recursive: true, force: true })];
  const close = async () => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void close().then(() => process.exit(1)));
  try {
    const hosts = fleets.map((fleet, i) => {
      const host = { name: `sim-host-${i + 1}`, path: join(dir, `host-${i + 1}.json`), fleet };
      writeState(host.path, { version: 1, fleet });
      return host;
    });
    const postgres = await startEmbeddedPostgres({ dataDir: join(dir, "postgres") });
    undo.push(postgres.stop);
    await migrate(postgres.url);
    const db = openDatabase(postgres.url);
    undo.push(db.close);
    const began = performance.now();
    const domains = fleets.flatMap((fleet) => makeFleet(fleet));
    await recordFleet(db, domains);
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    say(`recorded ${domains.length} VMs, ${domains[0]?.checkpoints.length ?? 0} checkpoints each, in ${seconds} s`);
    const stack = await startStack({
      dir: join(dir, "stack"),
      hosts: hosts.map(({ name, path }) => ({ name, libvirtUri: `sim://${path}` })),
      policy: POLICY,
      databaseUrl: postgres.url,
    });
    undo.push(stack.stop);
    return { stack, db, hosts, close };
  } catch (error) {
    await close();
    throw error;
  }
}
