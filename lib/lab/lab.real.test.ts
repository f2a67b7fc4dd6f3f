import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { attachLab, type Lab, openLab } from "./lab.ts";
import { LockHeldError } from "./lock.ts";
import { isAlive } from "./processes.ts";
import { runQmp } from "./qmp.ts";
import type { LabVm } from "./vm.ts";

let lab: Lab;
let vm: LabVm;

beforeAll(async () => {
  lab = await openLab({ hosts: ["alpha", "beta"] });
  const sizeMiB = 16;
  vm = await lab.host("alpha").defineVm({
    name: "wanderer",
    disks: [
      { target: "vda", sizeMiB },
      { target: "vdb", sizeMiB },
    ],
  });
  await vm.start();
});
afterAll(() => lab?.close());

test("two hosts are two machines to libvirt: own UUID, own list of VMs, own hostname where the machine allows", async () => {
  const [alpha, beta] = [lab.host("alpha"), lab.host("beta")];
  const names = lab.canMigrate ? ["alpha", "beta"] : [hostname(), hostname()];
  expect((await alpha.virsh(["hostname"])).trim()).toBe(names[0]);
  expect((await beta.virsh(["hostname"])).trim()).toBe(names[1]);
  const uuid = async (host: typeof alpha) => /<uuid>(.*)<\/uuid>/.exec(await host.virsh(["capabilities"]))?.[1];
  expect(await uuid(alpha)).not.toBe(await uuid(beta));
  expect(await alpha.virsh(["list", "--all", "--name"])).toContain("wanderer");
  expect(await beta.virsh(["list", "--all", "--name"])).not.toContain("wanderer");
});

test("QEMU and libvirtd of a lab opened by root run as nobody, of any other user as that user", () => {
  const daemon = lab.context.state().hosts[0]?.daemon ?? expect.fail();
  const uid = lab.context.account?.uid ?? process.getuid?.();
  for (const { pid } of [daemon, vm.process()])
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s`, "m"));
});

test("a write dirties the bitmaps of the checkpoints before it, by exactly its range", async () => {
  await vm.checkpoint("one");
  await vm.write("vda", 1 << 20, 128 * 1024);
  await vm.checkpoint("two", { disks: ["vda"] });
  await vm.write("vda", 4 << 20, 64 * 1024);
  const dirty = async (target: string) =>
    Object.fromEntries(
      (await vm.bitmaps()).filter((seen) => seen.target === target).map((seen) => [seen.name, seen.dirtyBytes]),
    );
  expect(await dirty("vda")).toEqual({ one: 192 * 1024, two: 64 * 1024 });
  expect(await dirty("vdb")).toEqual({ one: 0 });
  const listed = (await vm.checkpoints()).map(({ id, parentId, disks }) => ({ id, parentId, disks }));
  expect(listed).toEqual([
    { id: "one", parentId: null, disks: ["vda", "vdb"].map((target) => ({ target, bitmap: "one" })) },
    { id: "two", parentId: "one", disks: [{ target: "vda", bitmap: "two" }] },
  ]);
});

test("live migration empties the checkpoint list and keeps every bitmap with its count; where it cannot be, it says so", async () => {
  if (!lab.canMigrate) return expect(vm.migrate("beta")).rejects.toThrow(/no hostnames of their own/);
  const before = (await vm.bitmaps()).map(({ target, name, dirtyBytes }) => `${target} ${name} ${dirtyBytes}`).sort();
  await vm.migrate("beta");
  expect(vm.host).toBe("beta");
  expect(await vm.power()).toBe("running");
  expect(await vm.checkpoints()).toEqual([]);
  const after = (await vm.bitmaps()).map(({ target, name, dirtyBytes }) => `${target} ${name} ${dirtyBytes}`).sort();
  expect(after).toEqual(before);
  expect(before).toHaveLength(3);
});

test("a VM outlives the SIGKILL of its libvirtd, and the next daemon finds it", async () => {
  const host = lab.host(vm.host);
  const qemu = vm.process();
  await host.killDaemon();
  expect(await host.connectable()).toBe(false);
  await host.startDaemon();
  expect(await host.connectable()).toBe(true);
  expect(isAlive(qemu)).toBe(true);
  expect(await vm.power()).toBe("running");
});

test("a paused daemon answers nobody until it is resumed", async () => {
  const alpha = lab.host("alpha");
  alpha.pauseDaemon();
  expect(await alpha.connectable()).toBe(false);
  alpha.resumeDaemon();
  expect(await alpha.connectable()).toBe(true);
});

test("QEMU's refusal of a QMP command is thrown, although libvirt reports success", async () => {
  const remove = { execute: "block-dirty-bitmap-remove", arguments: { node: "nowhere", name: "none" } };
  await expect(vm.qmp(remove)).rejects.toThrow(/nowhere/);
  await expect(runQmp((args) => vm.virsh(args), vm.id, { execute: "query-status" })).resolves.toMatchObject({
    status: "running",
  });
});

test("a stopped VM keeps its checkpoints' bitmaps in the image, a killed one leaves them in use", async () => {
  await vm.stop();
  expect((await vm.bitmaps()).every((seen) => seen.recording && !seen.inconsistent)).toBe(true);
  await vm.start();
  await vm.kill();
  const left = await vm.bitmaps();
  expect(left).toHaveLength(3);
  expect(left.every((seen) => seen.inconsistent)).toBe(true);
});

test("a directory with a lab in it opens for no second lab, but other processes may attach", async () => {
  await expect(openLab({ dir: lab.dir, hosts: ["alpha"] })).rejects.toThrow(LockHeldError);
  expect(attachLab(lab.dir).vm("wanderer").id).toBe(vm.id);
  expect(await lab.host("alpha").connectable()).toBe(true);
});

test("a directory that holds somebody else's files is refused and left as it is", async () => {
  const dir = mkdtempSync(join(tmpdir(), "dl-lab-foreign-"));
  writeFileSync(join(dir, "thesis.txt"), "do not lose");
  mkdirSync(join(dir, "disks"));
  writeFileSync(join(dir, "disks", "photo.raw"), "nor this");
  await expect(openLab({ dir, hosts: ["alpha"] })).rejects.toThrow(/not touched/);
  expect(readFileSync(join(dir, "thesis.txt"), "utf8")).toBe("do not lose");
  expect(readFileSync(join(dir, "disks", "photo.raw"), "utf8")).toBe("nor this");
  rmSync(dir, { recursive: true });
});
