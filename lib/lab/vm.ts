import { readFileSync } from "node:fs";
import { join } from "node:path";
import { changeVm, type LabContext, vmState } from "./context.ts";
import { hostFolders, uriOf } from "./daemon.ts";
import { imageInfo, writeImage } from "./images.ts";
import { argumentsOf, endProcess, type ProcessRef, refOf } from "./processes.ts";
import { liveBitmaps, type QmpCommand, runQmp } from "./qmp.ts";
import type { LabDisk } from "./state.ts";
import { withDocument } from "./temporary.ts";
import { run, until } from "./tools.ts";
import {
  type BackupRequest,
  backupXml,
  type CheckpointDefinition,
  checkpointXml,
  domainXml,
  type ListedCheckpoint,
  readCheckpoint,
} from "./xml.ts";

/** One bitmap as QEMU or the image file tells it. `layer` is the file that holds it. */
export type SeenBitmap = {
  target: string;
  layer: string;
  name: string;
  recording: boolean;
  persistent: boolean;
  inconsistent: boolean;
  busy: boolean;
  /** null: a file does not tell. */
  dirtyBytes: number | null;
  granularity: number;
};

/** A VM of the lab. It keeps its identity over renames and moves: every property is read from the lab's state. */
export class LabVm {
  readonly id: string;
  readonly #lab: LabContext;

  constructor(lab: LabContext, id: string) {
    this.#lab = lab;
    this.id = id;
  }

  get name(): string {
    return vmState(this.#lab, this.id).name;
  }
  /** Name of the host that it is on. */
  get host(): string {
    return vmState(this.#lab, this.id).host;
  }
  get disks(): LabDisk[] {
    return vmState(this.#lab, this.id).disks;
  }
  get isTransient(): boolean {
    return vmState(this.#lab, this.id).isTransient;
  }

  disk(target: string): LabDisk {
    const disk = this.disks.find((entry) => entry.target === target);
    if (disk === undefined) throw new Error(`${this.name} has no disk ${target}.`);
    return disk;
  }

  /** virsh on this VM's host. */
  virsh(args: string[]): Promise<string> {
    const uri = uriOf(hostFolders(this.#lab.dir, this.host).socket);
    return run("virsh", ["-c", uri, ...args], { env: this.#lab.environment });
  }

  /** libvirt's own word: "running", "paused", "shut off"; "absent" when its host does not know it. */
  async power(): Promise<string> {
    const known = await this.virsh(["list", "--all", "--uuid"]);
    return known.includes(this.id) ? (await this.virsh(["domstate", this.id])).trim() : "absent";
  }

  /** Starts it here; a transient one is created anew. */
  async start(): Promise<void> {
    if (this.isTransient) await this.#withDomain((path) => this.virsh(["create", path]));
    else await this.virsh(["start", this.id]);
  }

  /** Ends QEMU cleanly: it stores its bitmaps. */
  async stop(): Promise<void> {
    await this.virsh(["destroy", this.id]);
  }

  /** SIGKILL to its QEMU: nothing is stored. Returns when libvirt has noticed. */
  async kill(): Promise<void> {
    await endProcess(this.process());
    await until(`libvirt to notice the end of ${this.name}`, 15_000, async () =>
      ["shut off", "absent"].includes(await this.power()),
    );
  }

  /** SIGSTOP to its QEMU: libvirt's monitor calls hang. Not libvirt's "paused", see suspend. */
  pauseProcess(): void {
    process.kill(this.process().pid, "SIGSTOP");
  }

  resumeProcess(): void {
    process.kill(this.process().pid, "SIGCONT");
  }

  async suspend(): Promise<void> {
    await this.virsh(["suspend", this.id]);
  }

  async resume(): Promise<void> {
    await this.virsh(["resume", this.id]);
  }

  /** Its QEMU, proven by the UUID on the command line. */
  process(): ProcessRef {
    const file = join(hostFolders(this.#lab.dir, this.host).run, "libvirt", "qemu", "run", `${this.name}.pid`);
    const ref = refOf(Number(readFileSync(file, "utf8")));
    if (ref === null || !argumentsOf(ref.pid).includes(this.id)) throw new Error(`${this.name} has no running QEMU.`);
    return ref;
  }

  /** Creates a checkpoint with a bitmap on the named disks (all by default); its parent is libvirt's current one. */
  async checkpoint(name: string, options: { disks?: string[] } = {}): Promise<ListedCheckpoint> {
    const covered = options.disks ?? this.disks.map((disk) => disk.target);
    const rest = this.disks.map((disk) => disk.target).filter((target) => !covered.includes(target));
    const xml = checkpointXml({ id: name, disks: covered.map((target) => ({ target, bitmap: name })) }, rest);
    await withDocument(this.#lab, xml, (path) => this.virsh(["checkpoint-create", this.id, path]));
    return this.readCheckpoint(name);
  }

  /** Tells libvirt of a checkpoint whose bitmaps exist already; replaces a definition of the same name. */
  async redefine(definition: CheckpointDefinition, options: { validate?: boolean } = {}): Promise<void> {
    const flags = ["--redefine", ...(options.validate ? ["--redefine-validate"] : [])];
    const covered = definition.disks.map((disk) => disk.target);
    const rest = this.disks.map((disk) => disk.target).filter((target) => !covered.includes(target));
    const xml = checkpointXml(definition, definition.isDiskless ? [] : rest);
    await withDocument(this.#lab, xml, (path) => this.virsh(["checkpoint-create", this.id, path, ...flags]));
  }

  async deleteCheckpoint(name: string, options: { metadataOnly?: boolean } = {}): Promise<void> {
    await this.virsh(["checkpoint-delete", this.id, name, ...(options.metadataOnly ? ["--metadata"] : [])]);
  }

  async readCheckpoint(name: string): Promise<ListedCheckpoint> {
    return readCheckpoint(await this.virsh(["checkpoint-dumpxml", this.id, name, "--no-domain"]));
  }

  /** What libvirt lists, parents first. */
  async checkpoints(): Promise<ListedCheckpoint[]> {
    const names = await this.virsh(["checkpoint-list", this.id, "--name", "--topological"]);
    const listed: ListedCheckpoint[] = [];
    for (const name of names.split("\n").filter(Boolean)) listed.push(await this.readCheckpoint(name));
    return listed;
  }

  /** Dirties a range (bytes) of a disk: through the running QEMU without a guest, or in the stopped image. */
  async write(target: string, offset: number, length: number, pattern = 1): Promise<void> {
    if ((await this.power()) === "shut off") return writeImage(this.#lab, this.disk(target), offset, length, pattern);
    const device = `/machine/peripheral/virtio-disk${diskIndex(target)}/virtio-backend`;
    const command = `qemu-io -d ${device} "write -P ${pattern} ${offset} ${length}"`;
    const answer = await this.virsh(["qemu-monitor-command", this.id, "--hmp", command]);
    // qemu-io through the monitor reports failures on QEMU's standard output at best: silence or an error text here.
    if (/error|fail|not found/i.test(answer)) throw new Error(`write to ${this.name} ${target}: ${answer.trim()}`);
  }

  /** The running QEMU writes what it keeps of a disk: from then on the image says what the disk holds. */
  async flush(target: string): Promise<void> {
    const device = `/machine/peripheral/virtio-disk${diskIndex(target)}/virtio-backend`;
    await this.virsh(["qemu-monitor-command", this.id, "--hmp", `qemu-io -d ${device} "flush"`]);
  }

  /** One QMP command; QEMU's own error is thrown. */
  qmp(command: QmpCommand): Promise<unknown> {
    return runQmp((args) => this.virsh(args), this.id, command);
  }

  /** All bitmaps of all layers: from QEMU while it runs or is paused, else from the image files. */
  async bitmaps(): Promise<SeenBitmap[]> {
    if ((await this.power()) !== "shut off") return liveBitmaps((args) => this.virsh(args), this.id);
    const seen: SeenBitmap[] = [];
    for (const disk of this.disks)
      for (const layer of await imageInfo(this.#lab, disk))
        for (const { name, flags, granularity } of layer.bitmaps)
          seen.push({
            target: disk.target,
            layer: layer.filename,
            name,
            recording: flags.includes("auto"),
            persistent: true,
            inconsistent: flags.includes("in-use"),
            busy: false,
            dirtyBytes: null,
            granularity,
          });
    return seen;
  }

  /** Moves it, running, to another host of the lab. Its definition goes along. */
  async migrate(host: string): Promise<void> {
    if (this.#lab.state().isolation === "none")
      throw new Error("No live migration here: this machine gives the lab's hosts no hostnames of their own.");
    const uri = uriOf(hostFolders(this.#lab.dir, host).socket);
    const listen = ["--listen-address", "127.0.0.1"]; // never leaves the machine
    const keep = this.isTransient ? [] : ["--persistent", "--undefinesource"];
    await this.virsh(["migrate", "--live", "--unsafe", ...keep, this.id, uri, "tcp:127.0.0.1", ...listen]);
    await this.recordHost(host);
  }

  /** Forgets it here and defines it, stopped, on another host with the same images. The metadata stays behind. */
  async moveStopped(host: string): Promise<void> {
    await this.virsh(["undefine", this.id, "--checkpoints-metadata"]);
    await this.recordHost(host);
    await this.#withDomain((path) => this.virsh(["define", path]));
  }

  async backupBegin(request: BackupRequest, options: { checkpoint?: CheckpointDefinition } = {}): Promise<void> {
    const rest = this.disks.map((disk) => disk.target).filter((target) => request.disks[target] === undefined);
    const begin = (extra: string[]) =>
      withDocument(this.#lab, backupXml(request, rest), (path) =>
        this.virsh(["backup-begin", this.id, "--backupxml", path, ...extra]),
      );
    if (options.checkpoint === undefined) await begin([]);
    else await withDocument(this.#lab, checkpointXml(options.checkpoint), (path) => begin(["--checkpointxml", path]));
  }

  /** Changes the disks of a stopped VM: its definition and the lab's state; images are the caller's business. */
  async redefineDisks(disks: LabDisk[]): Promise<void> {
    await this.recordDisks(disks);
    await this.#withDomain((path) => this.virsh(["define", path]));
  }

  /** Records which disks it now has; for steps that change them by other means. */
  recordDisks(disks: LabDisk[]): Promise<void> {
    return changeVm(this.#lab, this.id, (vm) => {
      vm.disks = disks;
    });
  }

  async abortJob(): Promise<void> {
    await this.virsh(["domjobabort", this.id]);
  }

  #withDomain(use: (path: string) => Promise<string>): Promise<string> {
    return withDocument(this.#lab, domainXml(vmState(this.#lab, this.id)), use);
  }

  /** Records where it now is; for steps that move it by other means than the ones above. */
  recordHost(host: string): Promise<void> {
    return changeVm(this.#lab, this.id, (vm) => {
      vm.host = host;
    });
  }
}

/** Position of a target letter: vda 0, vdb 1. libvirt builds a disk's alias from it. */
function diskIndex(target: string): number {
  return [...target.slice(2)].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 96, 0) - 1;
}
