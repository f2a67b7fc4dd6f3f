/**
 * The whole flow for which the product exists, through its API, on two real hosts: backups, stop, start elsewhere,
 * redefinition in bulk, somebody's hands on the disks, validation, heal, the next backup, and the proof that what would
 * be restored is the guest's disk, byte for byte.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JobView } from "#contract/engine-jobs.ts";
import type { PlanRequestInput } from "#contract/engine-plans.ts";
import { changeImageBitmap } from "#lab/images.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import { run } from "#lab/tools.ts";
import type { LabVm } from "#lab/vm.ts";
import { applyPlan, connectEngine, type EngineClient, PlanRefused, waitFor } from "./api.ts";
import { ensureBuild } from "./build.ts";
import { type Stack, stackHosts, startStack } from "./stack.ts";

const MIB = 1024 * 1024;
/** From the event to the redefined chain. */
const REDEFINED_WITHIN_MS = 5_000;

let lab: Lab;
let stack: Stack;
let api: EngineClient;
let dir: string;
let vm: LabVm;

beforeAll(async () => {
  await ensureBuild();
  dir = realpathSync(mkdtempSync(join(tmpdir(), "dl-journey-")));
  lab = await openLab({ hosts: ["alpha", "beta"] });
  const policy = { redefineOnStart: "auto", observeEverySeconds: 3600, staleAfterSeconds: 7200 };
  stack = await startStack({ dir, hosts: stackHosts(lab), policy });
  api = connectEngine(stack.url, stack.apiKey);
  const disks = ["vda", "vdb"].map((target) => ({ target, format: "qcow2" as const, sizeMiB: 16 }));
  vm = await lab.host("alpha").defineVm({ name: "journey", disks });
  await vm.start();
}, 400_000);

afterAll(async () => {
  await stack?.stop();
  await lab?.close();
  if (dir) rmSync(dir, { recursive: true, force: true });
}, 120_000);

/** A VM that was changed a moment ago may be in motion still: a plan that is refused for that is made again, as a person would. */
async function applyFresh(request: PlanRequestInput): Promise<JobView> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await applyPlan(stack, await api.plans.create({ vmId: vm.id, ...request }));
    } catch (error) {
      if (tries === 3 || !(error instanceof PlanRefused) || error.problem.code !== "plan_out_of_date") throw error;
    }
  }
}

async function act(request: PlanRequestInput): Promise<JobView> {
  const job = await applyFresh(request);
  expect({ state: job.state, error: job.error, left: job.proof?.left }).toEqual({
    state: "succeeded",
    error: null,
    left: [],
  });
  return job;
}

/** What the guest's disk holds now, which is what a restore must give back. The VM is stopped. */
async function contentOf(path: string): Promise<string> {
  const raw = join(dir, "content.raw");
  await run("qemu-img", ["convert", "-O", "raw", path, raw]);
  const hash = createHash("sha256")
    .update(await readFile(raw))
    .digest("hex");
  rmSync(raw);
  return hash;
}

const findingsOf = (chain: { findings: { id: string }[] }) => chain.findings.map(({ id }) => id).sort();
const newest = async () => (await api.backups.list({ vmId: vm.id, limit: 1 })).items[0] ?? expect.fail("no backup");
const modesOf = (backup: { disks: { target: string; mode: string }[] }) =>
  Object.fromEntries(backup.disks.map(({ target, mode }) => [target, mode]));

/** Waits for what the policy does by itself after an event on a host. */
async function redefinedOn(host: string, ids: string[]): Promise<void> {
  await waitFor("the chain should be redefined", REDEFINED_WITHIN_MS, async () => {
    const chain = await api.vms.chain({ vmId: vm.id });
    const listed = chain.host.checkpoints?.map(({ id }) => id) ?? [];
    const isThere =
      chain.vm.hostName === host && chain.vm.power === "running" && ids.every((id) => listed.includes(id));
    return isThere && chain.agreement === "agrees"
      ? { done: chain }
      : { notYet: { listed, agreement: chain.agreement } };
  });
  const parents = (await vm.checkpoints()).map(({ id, parentId }) => [id, parentId]);
  expect(parents, `on ${host}`).toEqual(ids.map((id, n) => [id, ids[n - 1] ?? null]));
}

test("a chain survives its VM's moves, its wounds are found and healed, and every restore is byte for byte", async () => {
  await waitFor("the engine should see the VM", 15_000, async () => {
    const chain = await api.vms.chain({ vmId: vm.id }).catch(() => null);
    return chain?.host.status === "observed" ? { done: true } : { notYet: chain?.host ?? null };
  });

  // 1–4: the VM runs, and is backed up again and again. The first one is full, the others are not.
  for (const [round, expected] of ["full", "incremental", "incremental"].entries()) {
    await vm.write("vda", round * MIB, MIB, round + 1);
    await vm.write("vdb", round * 2 * MIB, MIB / 2, round + 11);
    await act({ intent: "backup", params: { mode: "auto" } });
    const backup = await newest();
    expect(backup).toMatchObject({ state: "finished", kind: expected });
    expect(modesOf(backup)).toEqual({ vda: expected, vdb: expected });
  }
  const ids = (await api.vms.checkpoints({ vmId: vm.id })).items.map(({ id }) => id);
  expect(ids).toHaveLength(3);

  // 5–7: it stops, and starts on another host; then it moves back while it runs.
  await vm.stop();
  await vm.moveStopped("beta");
  expect(await vm.checkpoints()).toEqual([]);
  await vm.start();
  await redefinedOn("beta", ids);
  if (lab.canMigrate) {
    await vm.migrate("alpha");
    await redefinedOn("alpha", ids);
  }

  // 8: behind the manager's back every bitmap of vda is removed, and a foreign one is added to vdb.
  await vm.stop();
  for (const id of ids) await changeImageBitmap(lab.context, vm.disk("vda").path, "remove", id);
  await changeImageBitmap(lab.context, vm.disk("vdb").path, "add", "nightly-job");
  await vm.start();
  await vm.write("vda", 5 * MIB, MIB, 33);
  await vm.write("vdb", 7 * MIB, MIB, 44);
  const validation = await api.vms.validate({ vmId: vm.id });
  expect(validation.valid).toBe(false);
  const wounds = [...ids.map((id) => `bitmap.missing|${id}|vda|${id}`), "bitmap.unknown||vdb|nightly-job"].sort();
  expect(findingsOf(validation)).toEqual(wounds);

  // Heal takes exactly the affected: the foreign bitmap stays until somebody names it.
  await act({ intent: "heal", params: { mode: "salvage" } });
  const healed = await api.vms.observe({ vmId: vm.id });
  expect(findingsOf(healed)).toEqual(["bitmap.unknown||vdb|nightly-job"]);
  expect(healed.record.checkpoints.map(({ id, disks }) => [id, disks])).toEqual(ids.map((id) => [id, ["vdb"]]));
  expect(healed.nextBackup.map(({ disk, verdict }) => [disk, verdict])).toEqual([
    ["vda", "full"],
    ["vdb", "incremental"],
  ]);
  await act({ intent: "remove", params: { checkpointIds: [], bitmaps: [{ disk: "vdb", bitmap: "nightly-job" }] } });
  expect((await api.vms.observe({ vmId: vm.id })).agreement).toBe("agrees");

  await act({ intent: "backup", params: { mode: "auto" } });
  const last = await newest();
  expect(modesOf(last)).toEqual({ vda: "full", vdb: "incremental" });

  // What would be restored is what the guest's disks hold.
  await vm.stop();
  for (const { target, path } of last.disks) {
    expect(await contentOf(path ?? ""), target).toBe(await contentOf(vm.disk(target).path));
  }

  // And the restore proof says so too: against the stopped disks, to which nothing was written since.
  const said: unknown[] = [];
  for await (const item of await api.backups.verify({ backupId: last.id })) said.push(item);
  expect(said).toContainEqual(expect.objectContaining({ type: "disk", target: "vda", comparedWithDisk: "equal" }));
  expect(said).toContainEqual(expect.objectContaining({ type: "disk", target: "vdb", comparedWithDisk: "equal" }));
  expect(said.at(-1)).toMatchObject({ type: "result", ok: true });
}, 240_000);
