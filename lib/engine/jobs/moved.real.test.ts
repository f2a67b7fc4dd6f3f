/** What a backup left on the host that its VM has moved away from: over simulated hosts, each with its own repository. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { findLiveJob, getBackup, listBackups, listOpenFindings, readRecord } from "#db/index.ts";
import { readHost } from "../observe/read.ts";
import { run } from "../testing/plan-job.ts";
import { openRig, type Rig, until } from "../testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
}, 60_000);
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

/** A backup on `a` that nobody saw end (`isComplete`: its data is there), of a VM that runs on `b` now. */
async function openMoved(
  name: string,
  isComplete: boolean,
  { isReachable = true, losesBitmap = false }: { isReachable?: boolean; losesBitmap?: boolean } = {},
) {
  const a = await rig.newHost(`${name}-a`);
  const b = await rig.newHost(`${name}-b`);
  const url = await rig.newDatabase();
  const engine = await rig.newEngine(url, [a, b]);
  const { orm } = engine.db;
  const vmId = randomUUID();
  a.sim.define(vmId, name, [{ target: "vda", sizeMiB: 4 }]);
  a.sim.start(vmId);
  for (const host of engine.hosts.values()) await readHost(engine, host);
  const job = await run(engine, vmId, { intent: "backup", mode: "auto", disks: null, repository: null });
  expect(job).toMatchObject({ state: "succeeded" });
  a.sim.stop(vmId);
  a.sim.changeDomain(vmId, (domain) => {
    b.sim.change((state) => {
      // What its libvirt knows of the last job stays behind.
      state.domains = [{ ...structuredClone(domain), run: 0, backup: undefined }];
    });
  });
  b.sim.start(vmId);
  for (const host of engine.hosts.values()) await readHost(engine, host);
  if (!isReachable) await a.stop();
  const made = (await readRecord(orm, vmId))?.checkpoints[0]?.id ?? "";
  if (losesBitmap) b.sim.removeBitmap(vmId, "vda", made);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    `with b as (update vm_backups set state = 'running' ${isComplete ? "" : ", ended_at = null"})
     update vm_checkpoints set state = 'creating'`,
  );
  await client.end();
  const id = (await listBackups(orm, { vmId, before: null, limit: 1 })).items[0]?.id ?? "";
  const backup = await until(
    () => getBackup(orm, id),
    (one) => one?.state !== "running",
    30_000,
  );
  const file = backup?.disks[0]?.path ?? "";
  expect(file).toContain(`${a.name}-backups`);
  // Whichever way the job ended, what stands then is judged on what it left.
  await until(
    () => findLiveJob(orm, vmId),
    (live) => live === null,
  );
  expect(await listOpenFindings(orm, vmId)).toEqual([]);
  const record = await readRecord(orm, vmId);
  return { a, b, backup, file, checkpoints: record?.checkpoints.map((item) => item.state), vmId };
}

test("the rest of a backup is removed from the host that has its files, and its checkpoint where the VM is now", async () => {
  const { b, backup, file, checkpoints, vmId } = await openMoved("moved", false);
  expect(backup).toMatchObject({ state: "failed" });
  expect(backup?.error).not.toContain("stay");
  expect(existsSync(file)).toBe(false);
  expect(checkpoints).toEqual([]);
  b.sim.changeDomain(vmId, (domain) => expect(domain.checkpoints).toEqual([]));
}, 60_000);

test("when the host that has the files is away the backup ends as failed all the same, and says which files stay where", async () => {
  const { a, backup, file, checkpoints } = await openMoved("left", false, { isReachable: false });
  expect(backup).toMatchObject({ state: "failed" });
  expect(backup?.error).toContain(`Its files stay on ${a.name}`);
  expect(backup?.error).toContain(file);
  expect(existsSync(file)).toBe(true);
  expect(checkpoints).toEqual([]);
}, 60_000);

test("complete data is read back where it lies, and the checkpoint becomes a base where the VM is now", async () => {
  const { backup, file, checkpoints } = await openMoved("complete", true);
  expect(backup).toMatchObject({ state: "finished", error: null });
  expect(existsSync(file)).toBe(true);
  expect(checkpoints).toEqual(["active"]);
}, 60_000);

test("complete data whose bitmap is gone by then makes no base: it is undone", async () => {
  const { backup, file, checkpoints } = await openMoved("lost", true, { losesBitmap: true });
  expect(backup).toMatchObject({ state: "failed", error: expect.stringContaining("its bitmap on vda is missing") });
  expect(existsSync(file)).toBe(false);
  expect(checkpoints).toEqual([]);
}, 60_000);
