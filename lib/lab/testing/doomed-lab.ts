import { openLab } from "../lab.ts";

/** For cleanup.real.test.ts: opens a lab with a running VM, says so, and waits to be killed. */
const [dir] = process.argv.slice(2);
const lab = await openLab({ dir, hosts: ["alpha", "beta"] });
const vm = await lab.host("alpha").defineVm({ name: "orphan", disks: [{ target: "vda", sizeMiB: 16 }] });
await vm.start();
process.stdout.write("up\n");
setInterval(() => {}, 60_000);
