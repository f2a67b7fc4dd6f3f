import { changeVm } from "../context.ts";
import { copyImage } from "../images.ts";
import type { Lab } from "../lab.ts";
import { withDocument } from "../temporary.ts";
import type { LabVm } from "../vm.ts";
import { checkpointXml, domainXml } from "../xml.ts";
import { extraFile, recordOf } from "./base.ts";
import { stageImage } from "./golden.ts";
import { ALL, each, type Scenario, scenario } from "./types.ts";

const LOST = each("metadata.missing", ALL);

function otherHost(lab: Lab, vm: LabVm): string {
  const other = lab.hosts.find((host) => host.name !== vm.host);
  if (other === undefined) throw new Error("This scenario needs a lab with two hosts.");
  return other.name;
}

/** Ways in which libvirt loses its checkpoint list while every bitmap stays healthy. */
export const MOVES: Scenario[] = [
  scenario({
    name: "restart-elsewhere",
    title: "Stopped, then started on another host: libvirt there knows no checkpoint",
    needsTwoHosts: true,
    trigger: "event",
    expected: LOST,
    async apply(lab, vm) {
      const target = otherHost(lab, vm);
      await vm.stop();
      await vm.moveStopped(target);
      await vm.start();
    },
  }),
  scenario({
    name: "live-migration",
    title: "Migrated while running: the bitmaps arrive, the checkpoint list does not",
    needsTwoHosts: true,
    needsMigration: true,
    trigger: "event",
    expected: LOST,
    apply: (lab, vm) => vm.migrate(otherHost(lab, vm)),
  }),
  scenario({
    name: "renamed",
    title: "Renamed while stopped; libvirt's restart then loses the checkpoints of the old name",
    trigger: "event",
    expected: LOST,
    async apply(lab, vm) {
      const name = `${vm.name}-renamed`;
      await vm.stop();
      await vm.virsh(["domrename", vm.id, name]);
      await changeVm(lab.context, vm.id, (state) => {
        state.name = name;
      });
      const host = lab.host(vm.host);
      await host.killDaemon();
      await host.startDaemon();
      await vm.start();
    },
  }),
  scenario({
    name: "transient-restarted",
    title: "A transient VM stopped and started again on the same host",
    trigger: "event",
    expected: LOST,
    async apply(lab, vm) {
      await makeTransient(lab, vm);
      await vm.stop();
      await vm.start();
    },
  }),
  scenario({
    name: "transient-stopped",
    title: "A transient VM stopped: defined nowhere, its record stands, nothing is drift",
    trigger: "event",
    expected: [],
    async apply(lab, vm) {
      await makeTransient(lab, vm);
      await vm.stop();
    },
  }),
  scenario({
    name: "two-hosts",
    title: "The same VM active on two hosts, after a failover over a storage copy",
    needsTwoHosts: true,
    trigger: "event",
    expected: [{ kind: "vm.two-hosts" }],
    // QEMU's image locks keep the second one off the very same files: seen from the second host the disks would be
    // others. The host that spoke for the VM before goes on speaking.
    apply: startTwice,
  }),
];

/** A running VM without a definition: it is gone when it stops. */
async function makeTransient(lab: Lab, vm: LabVm): Promise<void> {
  await vm.virsh(["undefine", vm.id]);
  await changeVm(lab.context, vm.id, (state) => {
    state.isTransient = true;
  });
}

async function startTwice(lab: Lab, vm: LabVm): Promise<void> {
  const disks = vm.disks.map((disk) => ({ ...disk, path: extraFile(lab, vm, `fork-${disk.target}.qcow2`) }));
  for (const disk of disks) await copyImage(lab.context, stageImage(lab.context, "golden", disk.target), disk.path);
  const host = lab.host(otherHost(lab, vm));
  const define = (path: string) => host.virsh(["define", path]);
  await withDocument(lab.context, domainXml({ id: vm.id, name: vm.name, disks }), define);
  for (const { disks: covered, ...entry } of recordOf(lab, vm)) {
    const rest = disks.map(({ target }) => target).filter((target) => !covered.includes(target));
    const xml = checkpointXml({ ...entry, disks: covered.map((target) => ({ target, bitmap: entry.id })) }, rest);
    await withDocument(lab.context, xml, (path) => host.virsh(["checkpoint-create", vm.id, path, "--redefine"]));
  }
  await host.virsh(["start", vm.id]);
}
