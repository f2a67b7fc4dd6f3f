/**
 * The drifts that only the record can show, made in a database the way they come about: a backup that was aborted, one
 * that ended while nobody looked, links that a careless restore of the database broke. From the command line:
 *   node lib/run/record-drift.ts <name> <VM id>      (with DATABASE_URL; without a name it lists them)
 * The VM needs a recorded line cp1 … cp4, as `lib/lab` prepares it. `undo` brings the record back.
 */
import pg from "pg";
import type { ExpectedFinding } from "#lab/scenarios/index.ts";

type RecordDrift = { name: string; title: string; expected: ExpectedFinding[]; sql: readonly string[] };

/** $1 is the VM. Foreign keys of the record are switched off for the session, as `pg_restore --disable-triggers` does. */
export const RECORD_DRIFTS: readonly RecordDrift[] = [
  {
    name: "record-parent-missing",
    title: "A row of the record is lost: its child names a parent that is not there",
    expected: [
      { kind: "record.missing-parent", checkpointId: "cp3" },
      // libvirt still has the lost one, and each disk its bitmap.
      { kind: "metadata.unknown", checkpointId: "cp2" },
    ],
    sql: [
      "delete from vm_checkpoint_disk_map where vm_id = $1 and checkpoint_id = 'cp2'",
      "delete from vm_checkpoints where vm_id = $1 and checkpoint_id = 'cp2'",
    ],
  },
  {
    name: "record-cycle",
    title: "The oldest checkpoint is recorded as a child of the newest",
    expected: [{ kind: "record.cycle", checkpointId: "cp1" }],
    sql: ["update vm_checkpoints set parent_id = 'cp4' where vm_id = $1 and checkpoint_id = 'cp1'"],
  },
  {
    name: "backup-failed",
    title: "The backup that made the newest checkpoint failed: it must never be a base",
    expected: [{ kind: "checkpoint.unfinished", checkpointId: "cp4", reason: "backup-failed" }],
    sql: [
      `insert into vm_backups (vm_id, checkpoint_id, kind, state, started_at, ended_at)
       values ($1, 'cp4', 'full', 'failed', now() - interval '1 hour', now() - interval '50 minutes')`,
    ],
  },
  {
    name: "backup-forgotten",
    title: "A backup is recorded as running, and libvirt has no such job",
    expected: [{ kind: "backup.stuck", reason: "no-such-job" }],
    sql: [
      `insert into vm_backups (vm_id, checkpoint_id, kind, state, started_at)
       values ($1, null, 'full', 'running', now() - interval '1 hour')`,
    ],
  },
];

/** Makes the drift in one transaction. The VM has to be observed for it to be found. */
export async function applyRecordDrift(databaseUrl: string, name: string, vmId: string): Promise<void> {
  const drift = RECORD_DRIFTS.find((one) => one.name === name);
  if (!drift) throw new Error(`There is no "${name}". Known: ${RECORD_DRIFTS.map((one) => one.name).join(", ")}.`);
  await inOneTransaction(databaseUrl, vmId, drift.sql);
}

/** The record as `lib/lab` prepared it: cp1 … cp4 in a line, all of them finished. */
export async function undoRecordDrift(databaseUrl: string, vmId: string): Promise<void> {
  await inOneTransaction(databaseUrl, vmId, [
    "delete from vm_backups where vm_id = $1",
    `insert into vm_checkpoints (vm_id, checkpoint_id, parent_id, creation_date, sequence, state, origin)
     select vm_id, 'cp2', 'cp1', (body #>> '{createdAt}')::timestamptz, 2, 'active', 'registered' from (
       select vm_id, jsonb_path_query(body, '$.checkpoints.value[*] ? (@.id == "cp2")') as body
       from observations where vm_id = $1 order by id desc limit 1) as seen
     on conflict do nothing`,
    `insert into vm_checkpoint_disk_map (vm_id, checkpoint_id, disk_id)
     select vm_id, 'cp2', id from disks where vm_id = $1 on conflict do nothing`,
    "update vm_checkpoints set parent_id = null where vm_id = $1 and checkpoint_id = 'cp1'",
  ]);
}

async function inOneTransaction(databaseUrl: string, vmId: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query("begin");
    // First of all, as every change of the engine's does: else one of the two ends as the victim of a deadlock.
    await client.query("select 1 from vms where id = $1 for update", [vmId]);
    await client.query("set local session_replication_role = replica");
    for (const statement of statements) await client.query(statement, [vmId]);
    await client.query("update vms set revision = revision + 1 where id = $1", [vmId]);
    await client.query("commit");
  } finally {
    await client.end();
  }
}

if (import.meta.main) {
  const [name, vmId] = process.argv.slice(2);
  const url = process.env.DATABASE_URL;
  if (!name || !vmId || !url) {
    for (const { name: known, title } of RECORD_DRIFTS) console.log(`${known.padEnd(26)}${title}`);
  } else if (name === "undo") await undoRecordDrift(url, vmId);
  else await applyRecordDrift(url, name, vmId);
}
