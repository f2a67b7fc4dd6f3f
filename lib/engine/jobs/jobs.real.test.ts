/** Jobs on a real libvirt and a real database: what each leaves behind on the host, in the record and in the audit. */
import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addMonitor, slowDownNextBackup } from "#agent/testing/slow-backup.ts";
import type { PlanRequest } from "#chain/plan/model.ts";
import {
  getBackup,
  insertCheckpoint,
  inTransaction,
  listBackups,
  listOpenFindings,
  lockVm,
  readRecord,
  requestCancel,
} from "#db/index.ts";
import { nodeOf } from "#lab/qmp.ts";
import type { LabVm } from "#lab/vm.ts";
import { handleApi } from "../http/handle.ts";
import { recompute } from "../observe/recompute.ts";
import { startEngine } from "../start.ts";
import type { Engine } from "../state.ts";
import { type LabRig, openLabRig } from "../testing/lab-rig.ts";
import { applyNow, ended, readAll, run } from "../testing/plan-job.ts";
import { KEYS } from "../testing/rig.ts";

const execute = promisify(execFile);
let rig: LabRig;
let url: string;
let engine: Engine;

beforeAll(async () => {
  rig = await openLabRig(["alpha"]);
  url = await rig.newDatabase();
  engine = await open();
});
afterAll(async () => {
  await engine?.stop();
  await rig?.close();
});

const open = (policy: object = {}): Promise<Engine> =>
  startEngine({ databaseUrl: url, config: rig.config(policy), watch: false });

async function query(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

const MIB = 1024 * 1024;
const BACKUP: PlanRequest = { intent: "backup", mode: "auto", disks: null, repository: null };

/** A running VM with a line of recorded checkpoints, and some data after each. */
async function newVm(name: string, checkpoints: string[] = [], isSlow = false): Promise<LabVm> {
  const vm = await rig.lab.host("alpha").defineVm({
    name,
    disks: [
      { target: "vda", sizeMiB: 32 },
      { target: "vdb", sizeMiB: 32 },
    ],
  });
  if (isSlow) {
    await addMonitor(vm, monitorOf(name), async (xml) => {
      const file = join(rig.lab.dir, "disks", `${name}.xml`);
      writeFileSync(file, xml);
      await rig.lab.host("alpha").virsh(["define", file]);
    });
  }
  await vm.start();
  let parentId: string | null = null;
  for (const [i, id] of checkpoints.entries()) {
    const { createdAt } = await vm.checkpoint(id);
    await vm.write("vda", i * MIB, MIB, i + 1);
    await readAll(engine, vm.id);
    await recordCheckpoint(vm, id, parentId, createdAt);
    parentId = id;
  }
  await readAll(engine, vm.id);
  return vm;
}

function recordCheckpoint(vm: LabVm, id: string, parentId: string | null, createdAt: string): Promise<void> {
  return inTransaction(engine.db, async (tx) => {
    await lockVm(tx, { id: vm.id });
    const disks = ["vda", "vdb"];
    await insertCheckpoint(tx, { vmId: vm.id, id, parentId, createdAt, disks, state: "active", origin: "registered" });
    await recompute(tx, vm.id);
  });
}

const findingsOf = async (vm: LabVm) => (await listOpenFindings(engine.db.orm, vm.id)).map((finding) => finding.id);
const recordOf = async (vm: LabVm) =>
  (await readRecord(engine.db.orm, vm.id))?.checkpoints.map(({ id, parentId, state, disks }) => ({
    id,
    parentId,
    state,
    disks: disks.map((disk) => disk.target),
  }));
const listedOn = async (vm: LabVm) => (await vm.checkpoints()).map((item) => item.id);
const bitmapsOn = async (vm: LabVm) =>
  [...new Set((await vm.bitmaps()).map((bitmap) => `${bitmap.target}:${bitmap.name}`))].sort();
const backupsOf = async (vm: LabVm) =>
  (await listBackups(engine.db.orm, { vmId: vm.id, before: null, limit: 50 })).items;
const removeLive = async (vm: LabVm, target: string, name: string) => {
  const node = await nodeOf((args) => vm.virsh(args), vm.id, vm.disk(target).path);
  await vm.qmp({ execute: "block-dirty-bitmap-remove", arguments: { node, name } });
};

test("redefine: libvirt lists the whole record again in its order, and the job proves it", async () => {
  const vm = await newVm("redefine", ["cp1", "cp2", "cp3"]);
  for (const id of ["cp3", "cp2", "cp1"]) await vm.deleteCheckpoint(id, { metadataOnly: true });
  const job = await run(engine, vm.id, { intent: "redefine", mode: "strict" });
  expect(job).toMatchObject({ state: "succeeded", error: null });
  expect(job.proof).toMatchObject({ agreement: "agrees", left: [], appeared: [] });
  expect((job.proof as { gone: string[] }).gone).toHaveLength(3);
  expect(job.steps.filter((step) => step.outcome === "defined")).toHaveLength(3);
  expect((await vm.checkpoints()).map(({ id, parentId }) => [id, parentId])).toEqual([
    ["cp1", null],
    ["cp2", "cp1"],
    ["cp3", "cp2"],
  ]);
  const audit = await query("select actor, action, outcome, reason, plan_id, job_id from audit_log where job_id = $1", [
    job.id,
  ]);
  expect(audit).toEqual([
    {
      actor: "test",
      action: "jobs.redefine",
      outcome: "done",
      reason: "for the test",
      plan_id: job.planId,
      job_id: job.id,
    },
  ]);
  expect(await query("select 1 from vm_leases where vm_id = $1", [vm.id])).toEqual([]);
  await vm.stop();
});

test("heal: only what is broken goes, from record, libvirt and disks, and nothing promised is left", async () => {
  const vm = await newVm("heal", ["cp1", "cp2", "cp3"]);
  await removeLive(vm, "vda", "cp2");
  await readAll(engine, vm.id);
  expect(await findingsOf(vm)).toContain("bitmap.missing|cp2|vda|cp2");
  const job = await run(engine, vm.id, { intent: "heal", mode: "salvage", findings: null });
  expect(job).toMatchObject({ state: "succeeded", proof: { agreement: "agrees", left: [] } });
  expect(await findingsOf(vm)).toEqual([]);
  expect((await recordOf(vm))?.map(({ id, disks }) => [id, disks])).toEqual([
    ["cp1", ["vda", "vdb"]],
    ["cp2", ["vdb"]],
    ["cp3", ["vda", "vdb"]],
  ]);
  expect(await bitmapsOn(vm)).toEqual(["vda:cp1", "vda:cp3", "vdb:cp1", "vdb:cp2", "vdb:cp3"]);
  await vm.stop();
});

test("prune: the old ones are gone everywhere, and the child hangs on what stays", async () => {
  const vm = await newVm("prune", ["cp1", "cp2", "cp3", "cp4"]);
  const job = await run(engine, vm.id, { intent: "prune", rule: { ids: ["cp2", "cp3"] } });
  expect(job).toMatchObject({ state: "succeeded", proof: { agreement: "agrees", left: [] } });
  expect((await recordOf(vm))?.map(({ id, parentId }) => [id, parentId])).toEqual([
    ["cp1", null],
    ["cp4", "cp1"],
  ]);
  expect(await listedOn(vm)).toEqual(["cp1", "cp4"]);
  expect(await bitmapsOn(vm)).toEqual(["vda:cp1", "vda:cp4", "vdb:cp1", "vdb:cp4"]);
  await vm.stop();
});

test("adopt, then remove: a foreign checkpoint becomes ours, at the place of its age, and goes when it is named", async () => {
  const vm = await newVm("adopt", ["cp1"]);
  await vm.checkpoint("theirs");
  await readAll(engine, vm.id);
  const adopted = await run(engine, vm.id, { intent: "adopt", checkpointIds: ["theirs"] });
  expect(adopted).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  expect((await recordOf(vm))?.map(({ id, parentId }) => [id, parentId])).toEqual([
    ["cp1", null],
    ["theirs", "cp1"],
  ]);
  const removed = await run(engine, vm.id, { intent: "remove", checkpointIds: ["theirs"], bitmaps: [] });
  expect(removed).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  expect(await listedOn(vm)).toEqual(["cp1"]);
  expect(await bitmapsOn(vm)).toEqual(["vda:cp1", "vdb:cp1"]);
  await vm.stop();
});

test("backup: full, then incremental, then mixed; each file restores to the disk byte by byte", async () => {
  const vm = await newVm("backup");
  await vm.write("vda", 0, 4 * MIB, 7);
  await vm.write("vdb", MIB, 2 * MIB, 8);
  const full = await run(engine, vm.id, BACKUP);
  expect(full).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  const [first] = await backupsOf(vm);
  expect(first).toMatchObject({ kind: "full", state: "finished" });
  const base = first?.checkpointId ?? "";
  expect(await recordOf(vm)).toEqual([{ id: base, parentId: null, state: "active", disks: ["vda", "vdb"] }]);
  const [listed] = await vm.checkpoints();
  const [stored] = await query("select creation_date from vm_checkpoints where vm_id = $1", [vm.id]);
  expect(stored?.creation_date).toEqual(new Date(listed?.createdAt ?? ""));

  await vm.write("vda", 8 * MIB, MIB, 9);
  const second = await run(engine, vm.id, BACKUP);
  expect(second.state).toBe("succeeded");
  expect((await backupsOf(vm))[0]).toMatchObject({ kind: "incremental", disks: [{ base }, { base }] });

  const newest = (await backupsOf(vm))[0]?.checkpointId ?? "";
  for (const id of [base, newest]) await removeLive(vm, "vdb", id);
  await vm.write("vdb", 12 * MIB, MIB, 10);
  const third = await run(engine, vm.id, BACKUP);
  expect(third.state).toBe("succeeded");
  const [mixed] = await backupsOf(vm);
  expect(mixed).toMatchObject({ kind: "mixed", disks: [{ mode: "incremental", base: newest }, { mode: "full" }] });

  await vm.stop();
  for (const disk of mixed?.disks ?? []) {
    const source = vm.disk(disk.target).path;
    await execute("qemu-img", ["compare", "-f", "qcow2", "-F", "qcow2", source, disk.path ?? ""]);
    expect(disk.sha256).toMatch(/^[0-9a-f]{64}$/);
  }
});

test("npm run verify-backup proves a backup by its digest, and says which disk is not what was written", async () => {
  const vm = await newVm("verify");
  await vm.write("vda", 0, 2 * MIB, 3);
  expect((await run(engine, vm.id, BACKUP)).state).toBe("succeeded");
  const [backup] = await backupsOf(vm);
  if (!backup) throw new Error("no backup");
  // Written to since: the recorded digest of that time is what counts.
  await vm.write("vda", 4 * MIB, MIB, 4);
  await vm.stop();
  const server = await serve(engine);
  const verify = async () => {
    const env = { ...process.env, DRIFTLINE_URL: server.url, DRIFTLINE_API_KEY: KEYS.support };
    const script = fileURLToPath(new URL("../../run/verify-backup.ts", import.meta.url));
    const done = execute(process.execPath, [script, backup.id], { env });
    return done.then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string; stderr: string }) => ({
        code: error.code,
        stdout: error.stdout + error.stderr,
      }),
    );
  };
  const proven = await verify();
  expect(proven).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("proven: vda: equal to the digest recorded"),
  });
  expect(proven.stdout).toContain("vdb: sha256 ");
  const file = backup.disks.find((disk) => disk.target === "vda")?.path ?? "";
  await execute("qemu-io", ["-f", "qcow2", "-c", "write -P 9 0 64k", file]);
  const broken = await verify();
  expect(broken).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("NOT PROVEN: vda: what is restored differs"),
  });
  await server.close();
  const kept = await query("select ok from backup_verifications where backup_id = $1 order by at", [backup.id]);
  expect(kept).toEqual([{ ok: true }, { ok: false }]);
  expect((await backupsOf(vm))[0]?.verified).toMatchObject({ ok: false });
});

/** The engine's API on a port, as the web process serves it. */
async function serve(one: Engine): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer(async (incoming, outgoing) => {
    const body = incoming.method === "GET" ? undefined : Buffer.concat(await incoming.toArray());
    const headers = new Headers(incoming.headers as Record<string, string>);
    const request = new Request(`http://127.0.0.1${incoming.url}`, { method: incoming.method ?? "GET", headers, body });
    const response = await handleApi(one, request);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    for await (const chunk of response.body ?? []) outgoing.write(chunk);
    outgoing.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, close };
}

/** A backup that lasts until somebody lets it go. The VM has a monitor of its own for that (`newVm`). */
async function slowBackup(vm: LabVm) {
  await readAll(engine, vm.id);
  const slow = await slowDownNextBackup(monitorOf(vm.name), "vda");
  const jobId = await applyNow(engine.db, vm.id, BACKUP);
  await slow.caught;
  return { jobId, release: () => slow.release(), close: () => slow.close() };
}

const fill = (vm: LabVm) => vm.write("vda", 0, 16 * MIB, 5);
const monitorOf = (name: string) => join(rig.lab.dir, "disks", `${name}.qmp`);

/** Nothing that could ever become a base, and no file. */
async function expectNothingLeft(vm: LabVm): Promise<void> {
  expect(await recordOf(vm)).toEqual([]);
  expect(await listedOn(vm)).toEqual([]);
  expect(await bitmapsOn(vm)).toEqual([]);
  for (const backup of await backupsOf(vm)) {
    const view = await getBackup(engine.db.orm, backup.id);
    for (const disk of view?.disks ?? []) expect(existsSync(disk.path ?? "")).toBe(false);
  }
}

test("a backup that is cancelled is aborted on the host, one whose QEMU dies has failed, and both leave nothing", async () => {
  const vm = await newVm("cancel", [], true);
  await fill(vm);
  const { jobId, close } = await slowBackup(vm);
  await inTransaction(engine.db, (tx) => requestCancel(tx, jobId));
  const job = await ended(engine, jobId);
  expect(job.state).toBe("cancelled");
  expect((await backupsOf(vm))[0]).toMatchObject({ state: "aborted" });
  await expectNothingLeft(vm);

  // The monitor takes one client at a time.
  close();
  const { jobId: second, close: closeSecond } = await slowBackup(vm);
  closeSecond();
  await vm.kill();
  const failed = await ended(engine, second);
  expect(failed).toMatchObject({ state: "failed" });
  expect((await backupsOf(vm))[0]).toMatchObject({ state: "failed" });
  await expectNothingLeft(vm);
});

test("an engine that stops in the middle of a backup finds it running, and its checkpoint is a base only when it is done", async () => {
  const vm = await newVm("restart", [], true);
  await fill(vm);
  const { jobId, release, close } = await slowBackup(vm);
  await engine.stop();
  expect((await query("select state from vm_checkpoints where vm_id = $1", [vm.id]))[0]).toEqual({ state: "creating" });
  engine = await open();
  release();
  const job = await ended(engine, jobId);
  expect(job).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  expect((await recordOf(vm))?.map((item) => item.state)).toEqual(["active"]);
  close();
  await vm.stop();
});
