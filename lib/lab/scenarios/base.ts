import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { changeVm, diskFolder, type LabContext, vmState } from "../context.ts";
import { copyImage } from "../images.ts";
import type { Lab } from "../lab.ts";
import { argumentsOf, endProcess, findOwnProcesses, isAlive } from "../processes.ts";
import type { BaseState, RecordedCheckpoint } from "../state.ts";
import { until } from "../tools.ts";
import type { LabVm } from "../vm.ts";
import { BASE_CHECKPOINTS, BASE_DISKS, makeGolden, type Stage, stageImage } from "./golden.ts";
import type { BaseKind, Prepared } from "./types.ts";

const HOUR_MS = 3_600_000;

export type OnCommitted = () => Promise<unknown>;

/** Makes a running VM in the base state on a host (the first by default) and tells the record that it should have. */
export async function prepareVm(lab: Lab, options: { name: string; host?: string; base: BaseKind }): Promise<Prepared> {
  await makeGolden(lab.context);
  const home = options.host ?? lab.hosts[0]?.name;
  if (home === undefined) throw new Error("This lab has no host.");
  const vm = await lab.host(home).defineVm({
    name: options.name,
    disks: BASE_DISKS.map((disk) => ({ ...disk, keepImage: true })),
  });
  await changeVm(lab.context, vm.id, (state) => {
    state.base = { name: options.name, host: home, disks: state.disks, record: baseRecord() };
  });
  await resetVm(lab, vm, options.base);
  return { vm, record: recordOf(lab, vm) };
}

/** The last days of a VM that is backed up; whole seconds, libvirt has no finer time. */
function baseRecord(): RecordedCheckpoint[] {
  const now = Math.floor(Date.now() / 1000) * 1000;
  return BASE_CHECKPOINTS.map(({ id, disks }, index) => ({
    id,
    parentId: BASE_CHECKPOINTS[index - 1]?.id ?? null,
    createdAt: new Date(now - (BASE_CHECKPOINTS.length - index) * HOUR_MS).toISOString(),
    disks,
  }));
}

export function recordOf(lab: Lab, vm: LabVm): RecordedCheckpoint[] {
  return baseOf(lab.context, vm).record;
}

function baseOf(lab: LabContext, vm: LabVm): BaseState {
  const { base } = vmState(lab, vm.id);
  if (base === null) throw new Error(`${vm.name} was not made by prepareVm.`);
  return base;
}

/**
 * Brings a VM back to its base, whatever happened to it: stopped everywhere else, defined at home, base images in
 * their own files (same inodes), metadata equal to the record, running. Metadata is put right before the start,
 * so that whoever reads at the start event sees a whole VM.
 * @param onCommitted called while the VM still runs on the image that an overlay was committed to. That it was is a proof
 * for that run alone: who watches the VM has to have read it before it stops, or the next image may be any.
 */
export async function resetVm(
  lab: Lab,
  vm: LabVm,
  kind: BaseKind = "stored",
  onCommitted: OnCommitted = async () => {},
): Promise<void> {
  const base = baseOf(lab.context, vm);
  await endHolders(lab, vm);
  if (await commitOverlays(vm, base)) await onCommitted();
  for (const host of lab.hosts) await clearHost(lab, vm, host.name, base);
  await changeVm(lab.context, vm.id, (state) => {
    Object.assign(state, { name: base.name, host: base.host, disks: base.disks, isTransient: false });
  });
  putFilesBack(lab, base);
  const stage: Stage = kind === "stored" ? "golden" : "before-cp4";
  for (const disk of base.disks) await copyImage(lab.context, stageImage(lab.context, stage, disk.target), disk.path);
  await vm.redefineDisks(base.disks);
  const isStored = (entry: RecordedCheckpoint) => kind === "stored" || entry.id !== "cp4";
  await alignMetadata(vm, base.record.filter(isStored));
  await vm.start();
  if (kind === "newest-unflushed") await makeNewest(lab, vm);
  await changeVm(lab.context, vm.id, (state) => {
    Object.assign(state, { applied: null, fresh: kind });
  });
}

/**
 * Overlays of a running VM are committed by a block job, so that whoever watches sees the way back to the base
 * images. Where that fails the files are put back all the same. Returns whether it was done.
 */
async function commitOverlays(vm: LabVm, base: BaseState): Promise<boolean> {
  const isOverlaid = vm.disks.some((disk) =>
    base.disks.some(({ target, path }) => target === disk.target && path !== disk.path),
  );
  if (!isOverlaid || (await vm.power()) !== "running") return false;
  return vm.virsh(["blockcommit", vm.id, "vda", "--active", "--pivot"]).then(
    () => true,
    () => false,
  );
}

/** cp4 in the running QEMU: until the next clean stop no file knows of it. */
async function makeNewest(lab: Lab, vm: LabVm): Promise<void> {
  const made = await vm.checkpoint("cp4");
  await vm.write("vda", 3 * 1024 * 1024, 128 * 1024);
  await changeVm(lab.context, vm.id, (state) => {
    for (const entry of state.base?.record ?? []) if (entry.id === "cp4") entry.createdAt = made.createdAt;
  });
}

/** Processes that a scenario left holding an image: their command line names this VM's holder socket. */
async function endHolders(lab: Lab, vm: LabVm): Promise<void> {
  for (const ref of findOwnProcesses(lab.dir, lab.context.token))
    if (argumentsOf(ref.pid).some((argument) => argument.includes(holderSocket(lab, vm)))) await endProcess(ref);
}

export function holderSocket(lab: Lab, vm: LabVm): string {
  return join(lab.dir, "tmp", `hold-${vm.id.slice(0, 8)}.sock`);
}

async function clearHost(lab: Lab, vm: LabVm, hostName: string, base: BaseState): Promise<void> {
  const host = lab.host(hostName);
  for (const ref of qemusOf(lab, vm)) process.kill(ref.pid, "SIGCONT"); // a hung QEMU cannot be stopped cleanly
  if (!(await host.virsh(["list", "--all", "--uuid"])).includes(vm.id)) return;
  if ((await host.virsh(["domstate", vm.id])).trim() !== "shut off") {
    await host.virsh(["destroy", vm.id]);
    const gone = async () => qemusOf(lab, vm).every((ref) => !isAlive(ref) || !onHost(lab, ref.pid, hostName));
    await until(`QEMU of ${vm.name} on ${hostName} to end`, 20_000, gone);
  }
  if (!(await host.virsh(["list", "--all", "--uuid"])).includes(vm.id)) return; // it was transient
  const name = (await host.virsh(["domname", vm.id])).trim();
  if (hostName !== base.host || name !== base.name) await host.virsh(["undefine", vm.id, "--checkpoints-metadata"]);
}

function qemusOf(lab: Lab, vm: LabVm) {
  return findOwnProcesses(lab.dir, lab.context.token).filter((ref) => argumentsOf(ref.pid).includes(vm.id));
}

function onHost(lab: Lab, pid: number, hostName: string): boolean {
  return argumentsOf(pid).some((argument) => argument.includes(join(lab.dir, "h", hostName, "")));
}

const KEPT = ".kept";

/** Sets an image aside; resetVm puts the same file, with its inode, back. */
export function setAside(path: string): string {
  renameSync(path, path + KEPT);
  return path + KEPT;
}

function putFilesBack(lab: Lab, base: BaseState): void {
  for (const { path } of base.disks) if (existsSync(path + KEPT)) renameSync(path + KEPT, path);
  const own = new Set(base.disks.map(({ path }) => basename(path)));
  for (const entry of readdirSync(diskFolder(lab.dir)))
    if (entry.startsWith(`${base.name}+`) && !own.has(entry))
      rmSync(join(diskFolder(lab.dir), entry), { recursive: true });
}

/** A path for a further file of this VM; resetVm removes it. */
export function extraFile(lab: Lab, vm: LabVm, suffix: string): string {
  return join(diskFolder(lab.dir), `${baseOf(lab.context, vm).name}+${suffix}`);
}

/** Makes libvirt's list equal to the record; touches only what differs. The VM may be stopped. */
async function alignMetadata(vm: LabVm, record: RecordedCheckpoint[]): Promise<void> {
  const listed = await vm.checkpoints();
  const isEqual =
    listed.length === record.length &&
    record.every((entry) => {
      const seen = listed.find(({ id }) => id === entry.id);
      const disks = entry.disks.map((target) => ({ target, bitmap: entry.id }));
      return (
        seen?.parentId === entry.parentId &&
        seen.createdAt === entry.createdAt &&
        JSON.stringify(seen.disks) === JSON.stringify(disks)
      );
    });
  if (isEqual) return;
  // From nothing: the order of definition also decides which one libvirt takes as current.
  for (const { id } of listed.reverse()) await vm.deleteCheckpoint(id, { metadataOnly: true });
  for (const { disks, ...entry } of record)
    await vm.redefine({ ...entry, disks: disks.map((target) => ({ target, bitmap: entry.id })) });
}
