/** Debian's virtnbdbackup, run on a VM of the lab: the other tool beside which Driftline has to work. */
import { hostEnvironment } from "./daemon.ts";
import type { Lab } from "./lab.ts";
import { run } from "./tools.ts";
import type { LabVm } from "./vm.ts";

/**
 * Really runs it. It refuses to work beside checkpoints of others, so it can only come when libvirt lists none (as after
 * a restart elsewhere). It takes `qemu:///session` (a URI that begins with `qemu+` makes it ask for a user and a
 * password), which libvirt's client resolves to this host's socket by XDG_RUNTIME_DIR.
 * @param prefix of the paths that it uses, in the lab's folder of disks
 * @returns the folder of its backups, to which an incremental adds
 */
export async function runVirtnbdbackup(lab: Lab, vm: LabVm, level: "full" | "inc", prefix: string): Promise<string> {
  const { account, token, dir } = lab.context;
  const options = { as: account, env: { ...hostEnvironment(dir, vm.host, token), LC_ALL: "C.UTF-8" } };
  const [output, socket, scratch] = [`${prefix}virtnbdbackup`, `${prefix}nbd.sock`, `${prefix}scratch`];
  await run("mkdir", ["-p", scratch], options);
  const args = ["-U", "qemu:///session", "-d", vm.name, "-l", level, "-o", output, "-f", socket, "-S", scratch, "-n"];
  await run("virtnbdbackup", args, options);
  return output;
}

/** Restores all that it has with its own tool. Returns the folder of the disks. */
export async function runVirtnbdrestore(lab: Lab, vm: LabVm, output: string): Promise<string> {
  const { account, token, dir } = lab.context;
  const options = { as: account, env: { ...hostEnvironment(dir, vm.host, token), LC_ALL: "C.UTF-8" } };
  const restored = `${output}-restored`;
  await run("mkdir", ["-p", restored], options);
  await run("virtnbdrestore", ["-a", "restore", "-i", output, "-o", restored, "-f", `${output}.sock`, "-n"], options);
  return restored;
}
