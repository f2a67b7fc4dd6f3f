import { randomBytes, randomUUID } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { diskFolder, type LabContext, openContext, repositoryFolder } from "./context.ts";
import { findIsolation, hostFolders, prepareHost } from "./daemon.ts";
import { LabHost } from "./host.ts";
import { type HeldLock, takeLock } from "./lock.ts";
import { assertName } from "./names.ts";
import { endProcess, findOwnProcesses } from "./processes.ts";
import { hasState, readState, updateState, writeState } from "./state.ts";
import { labAccount, missingTools, run } from "./tools.ts";
import { LabVm } from "./vm.ts";

export type LabOptions = {
  /** Default: a new directory below os.tmpdir(), removed by close(). */
  dir?: string;
  /** Names of the hosts, which become their hostnames. */
  hosts: string[];
};

/** What a lab leaves in its directory; close() and the clean-up after a crash remove these and nothing else. */
const OWN_ENTRIES = ["h", "disks", "repository", "base", "tmp", "lab.json", "state.lock", "base.lock"];

/** A lab that is up: some real libvirt hosts on this machine that share a directory of disk images. */
export class Lab {
  readonly dir: string;
  readonly context: LabContext;
  readonly #lock: HeldLock | null;
  readonly #isOwnDirectory: boolean;

  constructor(dir: string, lock: HeldLock | null, isOwnDirectory: boolean) {
    this.dir = dir;
    this.context = openContext(dir);
    this.#lock = lock;
    this.#isOwnDirectory = isOwnDirectory;
  }

  get hosts(): LabHost[] {
    return this.context.state().hosts.map(({ name }) => new LabHost(this.context, name));
  }

  host(name: string): LabHost {
    const host = this.hosts.find((entry) => entry.name === name);
    if (host === undefined) throw new Error(`This lab has no host ${name}.`);
    return host;
  }

  /** A directory for backups that all hosts share and QEMU may write to. */
  get repository(): string {
    return repositoryFolder(this.dir);
  }

  get vms(): LabVm[] {
    return this.context.state().vms.map(({ id }) => new LabVm(this.context, id));
  }

  /** False where this machine gives the hosts no hostnames of their own: libvirt then refuses live migration. */
  get canMigrate(): boolean {
    return this.context.state().isolation !== "none";
  }

  /** A VM by name or UUID, on whichever host it is. */
  vm(nameOrId: string): LabVm {
    const vm = this.vms.find((entry) => entry.name === nameOrId || entry.id === nameOrId);
    if (vm === undefined) throw new Error(`This lab has no VM ${nameOrId}.`);
    return vm;
  }

  /** Ends every process of the lab and removes what it made. */
  async close(): Promise<void> {
    await removeLab(this.dir);
    if (this.#isOwnDirectory) rmSync(this.dir, { recursive: true, force: true });
    await this.#lock?.release();
  }

  /** Lets go of the lab and leaves it up: the next openLab refuses, attachLab and closing by the CLI work. */
  async detach(): Promise<void> {
    await updateState(this.dir, (state) => {
      state.isDetached = true;
    });
    await this.#lock?.release();
  }
}

/**
 * Starts the hosts. Leftovers of a lab that was killed in the same directory are ended and removed first.
 * Throws LockHeldError when the directory is in use, and an error naming Debian packages when tools are missing.
 */
export async function openLab(options: LabOptions): Promise<Lab> {
  const missing = missingTools();
  if (missing.length > 0) throw new Error(`The lab needs these packages: ${missing.join(" ")}`);
  options.hosts.forEach(assertName);
  if (new Set(options.hosts).size !== options.hosts.length) throw new Error("Two hosts of a lab share a name.");
  const dir = makeDirectory(options.dir);
  for (const host of options.hosts) assertShort(hostFolders(dir, host).config);
  const lock = await takeLock(join(dir, "lab.lock"));
  try {
    if (isLeftUp(dir))
      throw new Error(`A lab that was left up is in ${dir}. Take it down first (lib/lab/cli.ts down --dir ${dir}).`);
    await removeLab(dir);
    const strangers = readdirSync(dir).filter((entry) => entry !== "lab.lock");
    if (strangers.length > 0) throw new Error(`${dir} holds other things (${strangers[0]}): not touched.`);
    return await startLab(dir, options, lock);
  } catch (cause) {
    await lock.release();
    throw cause;
  }
}

/** A unix socket's path holds 107 bytes. The longest is QEMU's monitor; libvirt cuts the VM's name in it to 20. */
function assertShort(config: string): void {
  const monitor = join(config, "libvirt/qemu/lib", `domain-9999-${"x".repeat(20)}`, "monitor.sock");
  if (monitor.length > 107) throw new Error(`${config} is ${monitor.length - 107} characters too long for a lab.`);
}

/** Left up on purpose, and something of it is still there (not after a reboot). */
function isLeftUp(dir: string): boolean {
  if (!hasState(dir)) return false;
  const { isDetached, token } = readState(dir);
  return isDetached && findOwnProcesses(dir, token).length > 0;
}

async function startLab(dir: string, options: LabOptions, lock: HeldLock): Promise<Lab> {
  const account = labAccount();
  await run("test", ["-x", dir], { as: account }).catch(() => {
    throw new Error(`${dir} is closed to the account that the lab's daemons run as: open the way to it (chmod o+x).`);
  });
  const hosts = options.hosts.map((name) => ({ name, uuid: randomUUID(), daemon: null }));
  const token = randomBytes(12).toString("hex");
  const isolation = await findIsolation(account);
  writeState(dir, { version: 1, token, account, isolation, isDetached: false, hosts, vms: [] });
  for (const folder of [diskFolder(dir), repositoryFolder(dir)]) {
    mkdirSync(folder, { recursive: true });
    if (account !== null) chownSync(folder, account.uid, account.gid);
  }
  mkdirSync(join(dir, "h"), { recursive: true });
  for (const host of hosts) prepareHost(dir, host, account);
  const lab = new Lab(dir, lock, options.dir === undefined);
  try {
    await Promise.all(lab.hosts.map((host) => host.startDaemon()));
    return lab;
  } catch (cause) {
    await removeLab(dir);
    throw cause;
  }
}

/** A lab that is up already, opened by another process (the demo, or CLI `up`). Does not own it: do not close(). */
export function attachLab(dir: string): Lab {
  const path = realpathSync(dir);
  if (!hasState(path)) throw new Error(`There is no lab in ${path}.`);
  return new Lab(path, null, false);
}

/** Ends the processes that the recorded lab made and removes its files. Does nothing where no lab was. */
export async function removeLab(dir: string): Promise<void> {
  if (!hasState(dir)) return;
  const { token } = readState(dir);
  // A daemon that ends may be about to start a QEMU: look again until nothing is left.
  for (let round = 0; round < 20; round += 1) {
    const own = findOwnProcesses(dir, token);
    if (own.length === 0) break;
    await Promise.all(own.map(endProcess));
  }
  for (const entry of OWN_ENTRIES) rmSync(join(dir, entry), { recursive: true, force: true });
}

function makeDirectory(wanted: string | undefined): string {
  if (wanted === undefined) {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), "dl-lab-")));
    chmodSync(dir, 0o755); // the account of the daemons must get through
    return dir;
  }
  const dir = resolve(wanted);
  if (!existsSync(dir)) mkdirSync(dir, { recursive: true, mode: 0o755 });
  return realpathSync(dir);
}
