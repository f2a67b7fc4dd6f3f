/** One real host, its agent, a database and an engine, and what tests of jobs ask of them. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { expect } from "vitest";
import { addMonitors, type SlowBackup, slowDownNextBackup } from "#agent/testing/slow-backup.ts";
import type { PlanRequest } from "#chain/plan/model.ts";
import {
  getBackup,
  insertCheckpoint,
  inTransaction,
  listBackups,
  listOpenFindings,
  lockVm,
  readRecord,
} from "#db/index.ts";
import { nodeOf } from "#lab/qmp.ts";
import type { DiskFormat } from "#lab/state.ts";
import type { LabVm } from "#lab/vm.ts";
import { recompute } from "../observe/recompute.ts";
import { startEngine } from "../start.ts";
import type { Engine } from "../state.ts";
import { type LabRig, openLabRig } from "./lab-rig.ts";
import { applyNow, readAll } from "./plan-job.ts";

export const MIB = 1024 * 1024;
export const BACKUP: Extract<PlanRequest, { intent: "backup" }> = {
  intent: "backup",
  mode: "auto",
  disks: null,
  repository: null,
};

type Disk = { target: string; sizeMiB: number; format?: DiskFormat };
const TWO_DISKS: Disk[] = [
  { target: "vda", sizeMiB: 32 },
  { target: "vdb", sizeMiB: 32 },
];
/** More than QEMU has copied by the time that somebody slows it down. */
const LARGE: Disk[] = [
  { target: "vda", sizeMiB: 256 },
  { target: "vdb", sizeMiB: 8 },
];

export class JobLab {
  readonly rig: LabRig;
  readonly url: string;
  /** The one that runs now: a test may end it and start another. */
  engine: Engine;

  private constructor(rig: LabRig, url: string, engine: Engine) {
    this.rig = rig;
    this.url = url;
    this.engine = engine;
  }

  static async open({ policy = {}, agent = {} }: { policy?: object; agent?: object } = {}): Promise<JobLab> {
    const rig = await openLabRig(["alpha"], agent);
    const url = await rig.newDatabase();
    return new JobLab(rig, url, await startEngine({ databaseUrl: url, config: rig.config(policy), watch: false }));
  }

  async close(): Promise<void> {
    await this.engine.stop();
    await this.rig.close();
  }

  /** Ends the engine and starts another over the same database. */
  async restartEngine(policy: object = {}, between: () => Promise<void> = async () => {}): Promise<void> {
    await this.engine.stop();
    await between();
    this.engine = await startEngine({ databaseUrl: this.url, config: this.rig.config(policy), watch: false });
  }

  async query(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** A running VM with a line of recorded checkpoints, and some data after each. `isSlow`: see `slowBackup`. */
  async newVm(
    name: string,
    checkpoints: string[] = [],
    { isSlow = false, disks = isSlow ? LARGE : TWO_DISKS }: { isSlow?: boolean; disks?: Disk[] } = {},
  ): Promise<LabVm> {
    const host = this.rig.lab.host("alpha");
    const vm = await host.defineVm({ name, disks });
    if (isSlow) {
      await addMonitors(vm, [this.#monitorOf(name)], (xml) => this.defineAsWritten(vm, xml));
    }
    await vm.start();
    await this.addLine(vm, checkpoints);
    return vm;
  }

  async defineAsWritten(vm: LabVm, xml: string): Promise<void> {
    const file = join(this.rig.lab.dir, "disks", `${vm.name}.xml`);
    writeFileSync(file, xml);
    await vm.virsh(["define", file]);
  }

  /** A line of recorded checkpoints, and some data after each. */
  async addLine(vm: LabVm, checkpoints: string[]): Promise<void> {
    let parentId: string | null = null;
    for (const [i, id] of checkpoints.entries()) {
      const { createdAt } = await vm.checkpoint(id);
      await vm.write("vda", i * MIB, MIB, i + 1);
      await readAll(this.engine, vm.id);
      await this.recordCheckpoint(vm, id, parentId, createdAt);
      parentId = id;
    }
    await readAll(this.engine, vm.id);
  }

  recordCheckpoint(vm: LabVm, id: string, parentId: string | null, createdAt: string): Promise<void> {
    return inTransaction(this.engine.db, async (tx) => {
      await lockVm(tx, { id: vm.id });
      const disks = vm.disks.map((disk) => disk.target);
      await insertCheckpoint(tx, {
        vmId: vm.id,
        id,
        parentId,
        createdAt,
        disks,
        state: "active",
        origin: "registered",
      });
      await recompute(tx, this.engine, vm.id);
    });
  }

  async findingsOf(vm: LabVm): Promise<string[]> {
    return (await listOpenFindings(this.engine.db.orm, vm.id)).map((finding) => finding.id);
  }

  async recordOf(vm: LabVm) {
    return (await readRecord(this.engine.db.orm, vm.id))?.checkpoints.map(({ id, parentId, state, disks }) => ({
      id,
      parentId,
      state,
      disks: disks.map((disk) => disk.target),
    }));
  }

  async listedOn(vm: LabVm): Promise<string[]> {
    return (await vm.checkpoints()).map((item) => item.id);
  }

  async bitmapsOn(vm: LabVm): Promise<string[]> {
    return [...new Set((await vm.bitmaps()).map((bitmap) => `${bitmap.target}:${bitmap.name}`))].sort();
  }

  async backupsOf(vm: LabVm) {
    return (await listBackups(this.engine.db.orm, { vmId: vm.id, before: null, limit: 50 })).items;
  }

  async removeLive(vm: LabVm, target: string, name: string): Promise<void> {
    const node = await nodeOf((args) => vm.virsh(args), vm.id, vm.disk(target).path);
    await vm.qmp({ execute: "block-dirty-bitmap-remove", arguments: { node, name } });
  }

  /** A backup that lasts until somebody lets it go. The VM has a monitor of its own for that (`newVm`). */
  async slowBackup(vm: LabVm, request: PlanRequest = BACKUP): Promise<SlowBackup & { jobId: string }> {
    await readAll(this.engine, vm.id);
    const slow = await this.slowDown(vm);
    const jobId = await applyNow(this.engine.db, vm.id, request);
    await slow.caught;
    return { ...slow, jobId };
  }

  /** The VM's next backup, whoever begins it, lasts until somebody lets it go. */
  slowDown(vm: LabVm): Promise<SlowBackup> {
    return slowDownNextBackup(this.#monitorOf(vm.name), "vda");
  }

  #monitorOf(name: string): string {
    return join(this.rig.lab.dir, "disks", `${name}.qmp`);
  }

  /** The data of a VM whose backups are to be slow. */
  fill(vm: LabVm): Promise<void> {
    return vm.write("vda", 0, 240 * MIB, 5);
  }

  /** Nothing that could ever become a base, and no file of a backup that did not finish. `kept`: what was there before. */
  async expectNothingLeft(vm: LabVm, kept: string[] = []): Promise<void> {
    expect((await this.recordOf(vm))?.map((item) => item.id)).toEqual(kept);
    expect(await this.listedOn(vm)).toEqual(kept);
    const bitmaps = vm.disks.flatMap(({ target }) => kept.map((id) => `${target}:${id}`));
    expect(await this.bitmapsOn(vm)).toEqual(bitmaps.sort());
    for (const backup of await this.backupsOf(vm)) {
      if (backup.state === "finished") continue;
      const view = await getBackup(this.engine.db.orm, backup.id);
      for (const disk of view?.disks ?? []) expect(existsSync(disk.path ?? "")).toBe(false);
    }
  }
}
