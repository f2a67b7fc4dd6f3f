/** Jobs on a real libvirt and a real database: what each leaves behind on the host, in the record and in the audit. */
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inTransaction, requestCancel } from "#db/index.ts";
import { handleApi } from "../http/handle.ts";
import type { Engine } from "../state.ts";
import { BACKUP, JobLab, MIB } from "../testing/job-lab.ts";
import { testDisks } from "../testing/job-suite-disks.ts";
import { testObstacles } from "../testing/job-suite-obstacles.ts";
import { ended, readAll, run } from "../testing/plan-job.ts";
import { KEYS } from "../testing/rig.ts";

const execute = promisify(execFile);
let lab: JobLab;
beforeAll(async () => {
  lab = await JobLab.open();
});
afterAll(() => lab?.close());

test("redefine: libvirt lists the whole record again in its order, and the job proves it", async () => {
  const vm = await lab.newVm("redefine", ["cp1", "cp2", "cp3"]);
  for (const id of ["cp3", "cp2", "cp1"]) await vm.deleteCheckpoint(id, { metadataOnly: true });
  const job = await run(lab.engine, vm.id, { intent: "redefine", mode: "strict" });
  expect(job).toMatchObject({ state: "succeeded", error: null });
  expect(job.proof).toMatchObject({ agreement: "agrees", left: [], appeared: [] });
  expect((job.proof as { gone: string[] }).gone).toHaveLength(3);
  expect(job.steps.filter((step) => step.outcome === "defined")).toHaveLength(3);
  expect((await vm.checkpoints()).map(({ id, parentId }) => [id, parentId])).toEqual([
    ["cp1", null],
    ["cp2", "cp1"],
    ["cp3", "cp2"],
  ]);
  const audit = await lab.query(
    "select actor, action, outcome, reason, plan_id, job_id from audit_log where job_id = $1",
    [job.id],
  );
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
  expect(await lab.query("select 1 from vm_leases where vm_id = $1", [vm.id])).toEqual([]);
  await vm.stop();
});

test("heal: only what is broken goes, from record, libvirt and disks, and nothing promised is left", async () => {
  const vm = await lab.newVm("heal", ["cp1", "cp2", "cp3"]);
  await lab.removeLive(vm, "vda", "cp2");
  await readAll(lab.engine, vm.id);
  expect(await lab.findingsOf(vm)).toContain("bitmap.missing|cp2|vda|cp2");
  const job = await run(lab.engine, vm.id, { intent: "heal", mode: "salvage", findings: null });
  expect(job).toMatchObject({ state: "succeeded", proof: { agreement: "agrees", left: [] } });
  expect(await lab.findingsOf(vm)).toEqual([]);
  expect((await lab.recordOf(vm))?.map(({ id, disks }) => [id, disks])).toEqual([
    ["cp1", ["vda", "vdb"]],
    ["cp2", ["vdb"]],
    ["cp3", ["vda", "vdb"]],
  ]);
  expect(await lab.bitmapsOn(vm)).toEqual(["vda:cp1", "vda:cp3", "vdb:cp1", "vdb:cp2", "vdb:cp3"]);
  await vm.stop();
});

test("prune: the old ones are gone everywhere, and the child hangs on what stays", async () => {
  const vm = await lab.newVm("prune", ["cp1", "cp2", "cp3", "cp4"]);
  const job = await run(lab.engine, vm.id, { intent: "prune", rule: { ids: ["cp2", "cp3"] } });
  expect(job).toMatchObject({ state: "succeeded", proof: { agreement: "agrees", left: [] } });
  expect((await lab.recordOf(vm))?.map(({ id, parentId }) => [id, parentId])).toEqual([
    ["cp1", null],
    ["cp4", "cp1"],
  ]);
  expect(await lab.listedOn(vm)).toEqual(["cp1", "cp4"]);
  expect(await lab.bitmapsOn(vm)).toEqual(["vda:cp1", "vda:cp4", "vdb:cp1", "vdb:cp4"]);
  await vm.stop();
});

test("adopt, then remove: a foreign checkpoint becomes ours, at the place of its age, and goes when it is named", async () => {
  const vm = await lab.newVm("adopt", ["cp1"]);
  await vm.checkpoint("theirs");
  await readAll(lab.engine, vm.id);
  const adopted = await run(lab.engine, vm.id, { intent: "adopt", checkpointIds: ["theirs"] });
  expect(adopted).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  expect((await lab.recordOf(vm))?.map(({ id, parentId }) => [id, parentId])).toEqual([
    ["cp1", null],
    ["theirs", "cp1"],
  ]);
  const removed = await run(lab.engine, vm.id, { intent: "remove", checkpointIds: ["theirs"], bitmaps: [] });
  expect(removed).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  expect(await lab.listedOn(vm)).toEqual(["cp1"]);
  expect(await lab.bitmapsOn(vm)).toEqual(["vda:cp1", "vdb:cp1"]);
  await vm.stop();
});

test("backup: full, then incremental, then mixed; each file restores to the disk byte by byte", async () => {
  const vm = await lab.newVm("backup");
  await vm.write("vda", 0, 4 * MIB, 7);
  await vm.write("vdb", MIB, 2 * MIB, 8);
  const full = await run(lab.engine, vm.id, BACKUP);
  expect(full).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  const [first] = await lab.backupsOf(vm);
  expect(first).toMatchObject({ kind: "full", state: "finished" });
  const base = first?.checkpointId ?? "";
  expect(await lab.recordOf(vm)).toEqual([{ id: base, parentId: null, state: "active", disks: ["vda", "vdb"] }]);
  const [listed] = await vm.checkpoints();
  const [stored] = await lab.query("select creation_date from vm_checkpoints where vm_id = $1", [vm.id]);
  expect(stored?.creation_date).toEqual(new Date(listed?.createdAt ?? ""));

  await vm.write("vda", 8 * MIB, MIB, 9);
  const second = await run(lab.engine, vm.id, BACKUP);
  expect(second.state).toBe("succeeded");
  expect((await lab.backupsOf(vm))[0]).toMatchObject({ kind: "incremental", disks: [{ base }, { base }] });

  const newest = (await lab.backupsOf(vm))[0]?.checkpointId ?? "";
  for (const id of [base, newest]) await lab.removeLive(vm, "vdb", id);
  await vm.write("vdb", 12 * MIB, MIB, 10);
  const third = await run(lab.engine, vm.id, BACKUP);
  expect(third.state).toBe("succeeded");
  const [mixed] = await lab.backupsOf(vm);
  expect(mixed).toMatchObject({ kind: "mixed", disks: [{ mode: "incremental", base: newest }, { mode: "full" }] });

  await vm.stop();
  for (const disk of mixed?.disks ?? []) {
    const source = vm.disk(disk.target).path;
    await execute("qemu-img", ["compare", "-f", "qcow2", "-F", "qcow2", source, disk.path ?? ""]);
    expect(disk.sha256).toMatch(/^[0-9a-f]{64}$/);
  }
});

test("npm run verify-backup proves a backup by its digest, and says which disk is not what was written", async () => {
  const vm = await lab.newVm("verify");
  await vm.write("vda", 0, 2 * MIB, 3);
  expect((await run(lab.engine, vm.id, BACKUP)).state).toBe("succeeded");
  const [backup] = await lab.backupsOf(vm);
  if (!backup) throw new Error("no backup");
  // Written to since: the recorded digest of that time is what counts.
  await vm.write("vda", 4 * MIB, MIB, 4);
  await vm.stop();
  const proven = await verify(backup.id);
  expect(proven).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("proven: vda: equal to the digest recorded"),
  });
  expect(proven.stdout).toContain("vdb: sha256 ");
  const file = backup.disks.find((disk) => disk.target === "vda")?.path ?? "";
  await execute("qemu-io", ["-f", "qcow2", "-c", "write -P 9 0 64k", file]);
  const broken = await verify(backup.id);
  expect(broken).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("NOT PROVEN: vda: what is restored differs"),
  });
  const kept = await lab.query("select ok from backup_verifications where backup_id = $1 order by at", [backup.id]);
  expect(kept).toEqual([{ ok: true }, { ok: false }]);
  expect((await lab.backupsOf(vm))[0]?.verified).toMatchObject({ ok: false });
});

test("a backup is not proven when the stopped disk is another, to which nothing was written through QEMU since", async () => {
  const vm = await lab.newVm("past-qemu");
  await vm.write("vda", 0, 2 * MIB, 3);
  expect((await run(lab.engine, vm.id, BACKUP)).state).toBe("succeeded");
  const [backup] = await lab.backupsOf(vm);
  if (!backup) throw new Error("no backup");
  await vm.stop();
  expect(await verify(backup.id)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(
      "vda: equal to the digest recorded when it was made, and equal to the stopped disk",
    ),
  });
  await writePastQemu(vm.disk("vda").path, MIB);
  const disproved = await verify(backup.id);
  expect(disproved).toMatchObject({
    code: 1,
    stdout: expect.stringContaining(
      `NOT PROVEN: vda: the backup's file is as it was when it was made, but it differs from the stopped disk (first at byte ${MIB})`,
    ),
  });
  expect(disproved.stdout).toContain("(as recorded); disk: differs");
  expect((await lab.backupsOf(vm))[0]?.verified).toMatchObject({ ok: false });
});

/** Into the image file itself, where the byte lies in it: no bitmap notes it. */
async function writePastQemu(path: string, offset: number): Promise<void> {
  const { stdout } = await execute("qemu-img", ["map", "-f", "qcow2", "--output=json", path]);
  const extents = JSON.parse(stdout) as { start: number; length: number; offset?: number }[];
  const extent = extents.find(({ start, length }) => start <= offset && offset < start + length);
  if (extent?.offset === undefined) throw new Error(`nothing is written at ${offset} of ${path}`);
  await execute("qemu-io", ["-f", "raw", "-c", `write -P 77 ${extent.offset + offset - extent.start} 512`, path]);
}

/** What the command says of a backup, and with what code it ends. */
async function verify(backupId: string): Promise<{ code: number; stdout: string }> {
  const server = await serve(lab.engine);
  const env = { ...process.env, DRIFTLINE_URL: server.url, DRIFTLINE_API_KEY: KEYS.support };
  const script = fileURLToPath(new URL("../../run/verify-backup.ts", import.meta.url));
  const done = execute(process.execPath, [script, backupId], { env }).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      stdout: error.stdout + error.stderr,
    }),
  );
  return await done.finally(server.close);
}

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

test("a backup that is cancelled is aborted on the host, one whose QEMU dies has failed, and both leave nothing", async () => {
  const vm = await lab.newVm("cancel", [], { isSlow: true });
  await lab.fill(vm);
  const { jobId, close } = await lab.slowBackup(vm);
  await inTransaction(lab.engine.db, (tx) => requestCancel(tx, jobId));
  const job = await ended(lab.engine, jobId);
  expect(job.state).toBe("cancelled");
  expect((await lab.backupsOf(vm))[0]).toMatchObject({ state: "aborted" });
  await lab.expectNothingLeft(vm);

  // The monitor takes one client at a time.
  close();
  const { jobId: second, close: closeSecond } = await lab.slowBackup(vm);
  closeSecond();
  await vm.kill();
  const failed = await ended(lab.engine, second);
  expect(failed).toMatchObject({ state: "failed" });
  expect((await lab.backupsOf(vm))[0]).toMatchObject({ state: "failed" });
  await lab.expectNothingLeft(vm);
});

test("an engine that stops in the middle of a backup finds it running, and its checkpoint is a base only when it is done", async () => {
  const vm = await lab.newVm("restart", [], { isSlow: true });
  await lab.fill(vm);
  const { jobId, release, close } = await lab.slowBackup(vm);
  await lab.restartEngine({}, async () => {
    const [row] = await lab.query("select state from vm_checkpoints where vm_id = $1", [vm.id]);
    expect(row).toEqual({ state: "creating" });
  });
  release();
  const job = await ended(lab.engine, jobId);
  expect(job).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  expect((await lab.recordOf(vm))?.map((item) => item.state)).toEqual(["active"]);
  close();
  await vm.stop();
});

test("a backup that somebody aborts at libvirt fails and says so, leaves nothing that could be a base, and the next one works", async () => {
  const vm = await lab.newVm("taken-away", [], { isSlow: true });
  await lab.fill(vm);
  const { jobId, close } = await lab.slowBackup(vm);
  await vm.abortJob();
  close();
  const job = await ended(lab.engine, jobId);
  expect(job).toMatchObject({ state: "failed", error: expect.stringContaining("aborted") });
  expect((await lab.backupsOf(vm))[0]).toMatchObject({ state: "failed", error: job.error });
  await lab.expectNothingLeft(vm);
  expect(await run(lab.engine, vm.id, BACKUP)).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  await vm.stop();
});

// Each on VMs of its own, and waiting most of the time.
describe.concurrent("on VMs side by side", () => {
  testObstacles(() => lab);
  testDisks(() => lab);
});
