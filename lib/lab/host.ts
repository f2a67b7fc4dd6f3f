import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { diskFolder, type LabContext } from "./context.ts";
import { hostFolders, isConnectable, startDaemon, uriOf } from "./daemon.ts";
import { createImage } from "./images.ts";
import { assertName } from "./names.ts";
import { endProcess, isAlive, type ProcessRef } from "./processes.ts";
import type { DiskFormat, LabDisk, VmState } from "./state.ts";
import { withDocument } from "./temporary.ts";
import { run } from "./tools.ts";
import { LabVm } from "./vm.ts";
import { domainXml } from "./xml.ts";

export type VmRequest = {
  name: string;
  /** UUID; a new one when absent. */
  id?: string;
  /** A transient VM exists only while it runs: it starts here, at once. */
  transient?: boolean;
  disks: { target: string; sizeMiB: number; format?: DiskFormat; path?: string; keepImage?: boolean }[];
};

/** One real libvirt: its own daemon, hostname, metadata and runtime. Images are shared by the hosts of a lab. */
export class LabHost {
  readonly name: string;
  readonly socket: string;
  readonly uri: string;
  readonly #lab: LabContext;

  constructor(lab: LabContext, name: string) {
    this.#lab = lab;
    this.name = name;
    this.socket = hostFolders(lab.dir, name).socket;
    this.uri = uriOf(this.socket);
  }

  /** virsh against this host; answers its standard output. */
  virsh(args: string[]): Promise<string> {
    return run("virsh", ["-c", this.uri, ...args], { env: this.#lab.environment });
  }

  /** Makes the disks' images (unless `keepImage`) and defines the VM here, stopped; a transient one starts. */
  async defineVm(request: VmRequest): Promise<LabVm> {
    assertName(request.name);
    const disks: LabDisk[] = request.disks.map((disk) => {
      const format = disk.format ?? "qcow2";
      const path = disk.path ?? join(diskFolder(this.#lab.dir), `${request.name}-${disk.target}.${format}`);
      return { target: disk.target, sizeMiB: disk.sizeMiB, format, path };
    });
    for (const [index, disk] of disks.entries())
      if (!request.disks[index]?.keepImage) await createImage(this.#lab, disk);
    const vm: VmState = {
      id: request.id ?? randomUUID(),
      name: request.name,
      host: this.name,
      isTransient: request.transient ?? false,
      disks,
      base: null,
      applied: null,
      fresh: null,
    };
    await this.#lab.update((state) => {
      if (state.vms.some((entry) => entry.id === vm.id || entry.name === vm.name))
        throw new Error(`This lab already has a VM ${vm.name}.`);
      state.vms.push(vm);
    });
    const verb = vm.isTransient ? "create" : "define";
    await withDocument(this.#lab, domainXml(vm), (path) => this.virsh([verb, path]));
    return new LabVm(this.#lab, vm.id);
  }

  /** A VM of this host by its name or UUID. */
  vm(name: string): LabVm {
    const vm = this.#lab.state().vms.find((entry) => entry.host === this.name && [entry.name, entry.id].includes(name));
    if (vm === undefined) throw new Error(`No VM ${name} on ${this.name}.`);
    return new LabVm(this.#lab, vm.id);
  }

  connectable(): Promise<boolean> {
    return isConnectable(this.socket);
  }

  /** SIGKILL to libvirtd. The VMs go on: QEMU is not its child any more. */
  async killDaemon(): Promise<void> {
    const daemon = this.#daemon();
    if (daemon !== null) await endProcess(daemon);
    await this.#record(null);
  }

  async startDaemon(): Promise<void> {
    const running = this.#daemon();
    if (running !== null && isAlive(running)) return;
    await this.#record(await startDaemon(this.#lab.dir, this.name, this.#lab.state()));
  }

  /** SIGSTOP: the host hangs. Its socket accepts connections and never answers. */
  pauseDaemon(): void {
    this.#signal("SIGSTOP");
  }

  resumeDaemon(): void {
    this.#signal("SIGCONT");
  }

  #signal(signal: NodeJS.Signals): void {
    const daemon = this.#daemon();
    if (daemon === null || !isAlive(daemon)) throw new Error(`libvirtd of ${this.name} does not run.`);
    process.kill(daemon.pid, signal);
  }

  #daemon(): ProcessRef | null {
    return this.#lab.state().hosts.find((host) => host.name === this.name)?.daemon ?? null;
  }

  async #record(daemon: ProcessRef | null): Promise<void> {
    await this.#lab.update((state) => {
      for (const host of state.hosts) if (host.name === this.name) host.daemon = daemon;
    });
  }
}
