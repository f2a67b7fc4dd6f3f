/** Changes a simulated host the way people, crashes and other programs change a real one. For tests and demos. */
import { existsSync } from "node:fs";
import {
  domainsOf,
  readState,
  type SimBitmap,
  type SimDisk,
  type SimDomain,
  type SimState,
  writeState,
} from "./state.ts";

const GRANULARITY = 65_536;

const top = (disk: SimDisk): SimBitmap[] => disk.layers[0]?.bitmaps ?? [];

export class SimController {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    if (!existsSync(path)) writeState(path, { version: 1 });
  }

  get uri(): string {
    return `sim://${this.path}`;
  }

  change(edit: (state: SimState) => void): void {
    const state = readState(this.path);
    edit(state);
    writeState(this.path, state);
  }

  changeDomain(vmId: string, edit: (domain: SimDomain) => void): void {
    this.change((state) => {
      const domain = domainsOf(state).get(vmId);
      if (domain === undefined) throw new Error(`the simulated host has no domain ${vmId}`);
      edit(domain);
      state.domains = [...state.domains.filter((d) => d.vmId !== vmId), domain];
    });
  }

  changeDisk(vmId: string, target: string, edit: (disk: SimDisk) => void): void {
    this.changeDomain(vmId, (domain) => {
      const disk = domain.disks.find((d) => d.target === target);
      if (disk === undefined) throw new Error(`${vmId} has no disk ${target}`);
      edit(disk);
    });
  }

  /** Defines a stopped domain with empty qcow2 disks. */
  define(vmId: string, name: string, disks: { target: string; sizeMiB: number; format?: "qcow2" | "raw" }[]): void {
    this.change((state) => {
      state.domains.push({
        vmId,
        name,
        power: "shut-off",
        persistent: true,
        run: 0,
        checkpoints: [],
        disks: disks.map(({ target, sizeMiB, format = "qcow2" }, i) => {
          const source = `/sim/images/${name}-${target}.${format}`;
          return {
            target,
            source,
            format,
            virtualSize: sizeMiB * 2 ** 20,
            device: "1",
            inode: String(1_000_000 + state.domains.length * 100 + i),
            layers: [{ path: source, format, qcow2Compat: format === "qcow2" ? "1.1" : null, bitmaps: [] }],
            failure: null,
          };
        }),
        job: null,
        failure: null,
        cause: null,
      });
    });
  }

  start(vmId: string): void {
    this.changeDomain(vmId, (domain) => {
      Object.assign(domain, { power: "running", run: domain.run + 1, cause: null });
    });
  }

  /** A clean stop stores the bitmaps; libvirt keeps the list of a domain that is defined. */
  stop(vmId: string): void {
    this.changeDomain(vmId, (domain) => {
      Object.assign(domain, { power: "shut-off", cause: null });
      for (const bitmap of domain.disks.flatMap(top)) bitmap.isStored = true;
    });
  }

  /** The process dies: stored bitmaps are in use for ever, newer ones are gone. */
  kill(vmId: string): void {
    this.changeDomain(vmId, (domain) => {
      Object.assign(domain, { power: "shut-off", cause: "crashed" });
      for (const disk of domain.disks) {
        for (const layer of disk.layers) layer.bitmaps = layer.bitmaps.filter((b) => b.isStored);
        for (const bitmap of top(disk)) bitmap.inconsistent = true;
      }
    });
  }

  /** A checkpoint with its bitmaps; its parent is the newest one. */
  checkpoint(vmId: string, id: string): void {
    this.changeDomain(vmId, (domain) => {
      const parentId = domain.checkpoints.at(-1)?.id ?? null;
      for (const other of domain.checkpoints) other.current = false;
      domain.checkpoints.push({
        id,
        parentId,
        createdAt: new Date(Math.floor(Date.now() / 1000) * 1000).toISOString(),
        current: true,
        hasDisksElement: true,
        disks: domain.disks.map(({ target }) => ({ target, bitmap: id })),
      });
      for (const disk of domain.disks) top(disk).push(makeBitmap(id));
    });
  }

  /** Dirties a range in every recording bitmap of the disk. */
  write(vmId: string, target: string, lengthBytes: number): void {
    this.changeDisk(vmId, target, (disk) => {
      const bytes = Math.ceil(lengthBytes / GRANULARITY) * GRANULARITY;
      disk.writes = (disk.writes ?? 0) + 1;
      for (const bitmap of top(disk)) if (bitmap.recording && !bitmap.inconsistent) bitmap.dirtyBytes += bytes;
    });
  }

  addBitmap(vmId: string, target: string, name: string): void {
    this.addBitmaps(vmId, target, [name]);
  }

  addBitmaps(vmId: string, target: string, names: string[]): void {
    this.changeDisk(vmId, target, (disk) => {
      top(disk).push(...names.map((name) => ({ ...makeBitmap(name), isStored: true })));
    });
  }

  /** A definition as anybody could give it to a host; `disks` null: it has none. A name that is there is replaced. */
  defineAsIs(
    vmId: string,
    {
      id,
      parentId,
      disks,
    }: { id: string; parentId: string | null; disks: { target: string; bitmap: string }[] | null },
  ): void {
    this.changeDomain(vmId, (domain) => {
      const definition = {
        id,
        parentId,
        createdAt: new Date(0).toISOString(),
        current: false,
        hasDisksElement: disks !== null,
        disks: disks ?? [],
      };
      const at = domain.checkpoints.findIndex((c) => c.id === id);
      if (at < 0) domain.checkpoints.push(definition);
      else domain.checkpoints[at] = definition;
    });
  }

  setJob(vmId: string, job: SimDomain["job"]): void {
    this.changeDomain(vmId, (domain) => {
      domain.job = job;
    });
  }

  removeBitmap(vmId: string, target: string, name: string): void {
    this.changeDisk(vmId, target, (disk) => {
      for (const layer of disk.layers) layer.bitmaps = layer.bitmaps.filter((b) => b.name !== name);
    });
  }

  /** libvirt forgets its list: migration, rename, another host. */
  forgetCheckpoints(vmId: string): void {
    this.changeDomain(vmId, (domain) => {
      domain.checkpoints = [];
    });
  }

  setChangeMs(changeMs: number): void {
    this.change((state) => {
      state.changeMs = changeMs;
    });
  }

  /** How long each backup job runs; a job that is running ends by it too. */
  setBackupMs(backupMs: number): void {
    this.change((state) => {
      state.backupMs = backupMs;
    });
  }

  setConnected(connected: boolean): void {
    this.change((state) => {
      state.connected = connected;
    });
  }
}

export const makeBitmap = (name: string): SimBitmap => ({
  name,
  recording: true,
  busy: false,
  persistent: true,
  inconsistent: false,
  dirtyBytes: 0,
  granularity: GRANULARITY,
  isStored: false,
});
