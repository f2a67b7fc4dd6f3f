/**
 * Kills agent, engine, libvirtd and QEMU by SIGKILL at seeded points of redefine, heal, prune and backup on real hosts,
 * starts what was killed again, and says what does not hold afterwards. Used by the test and by the bench.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { PlanRequest } from "#chain/plan/model.ts";
import {
  getJob,
  insertCheckpoint,
  inTransaction,
  listBackups,
  listLeftovers,
  listOpenFindings,
  lockVm,
  readRecord,
} from "#db/index.ts";
import { nodeOf } from "#lab/qmp.ts";
import type { LabVm } from "#lab/vm.ts";
import { recompute } from "../observe/recompute.ts";
import { startEngine } from "../start.ts";
import type { Engine } from "../state.ts";
import { endChild, type LabRig, waitForLine } from "./lab-rig.ts";
import { applyNow, readAll } from "./plan-job.ts";
import { until } from "./rig.ts";

export const OPERATIONS = ["redefine", "heal", "prune", "backup"] as const;
export const VICTIMS = ["agent", "engine", "libvirtd", "qemu"] as const;
export type Operation = (typeof OPERATIONS)[number];
export type Victim = (typeof VICTIMS)[number];

export type Kill = {
  n: number;
  operation: Operation;
  victim: Victim;
  afterMs: number;
  jobState: string;
  seconds: number;
};
export type KillReport = { seed: number; kills: Kill[]; faults: string[] };

const HOST = "alpha";
const SETTLE_MS = 90_000;
/** Most operations are over by then: kills fall before, in and just after them. */
const LONGEST_DELAY_MS = 900;
const KEEP = 4;

/** mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Runs until `kills` are done or `stopAt` (ms since the epoch) has passed. `log` gets a line a kill. */
export async function runKills(options: {
  rig: LabRig;
  seed: number;
  kills: number;
  stopAt?: number;
  log?: (line: string) => void;
}): Promise<KillReport> {
  const run = await KillRun.open(options.rig, options.seed);
  try {
    while (run.report.kills.length < options.kills && Date.now() < (options.stopAt ?? Number.POSITIVE_INFINITY)) {
      await run.round(options.log ?? (() => {}));
      if (run.report.faults.length > 0) break;
    }
    return run.report;
  } finally {
    await run.close();
  }
}

class KillRun {
  readonly report: KillReport;
  readonly #rig: LabRig;
  readonly #url: string;
  readonly #random: () => number;
  /** Plans and looks; it runs no job and watches no host. */
  readonly #engine: Engine;
  readonly #vm: LabVm;
  #child: ChildProcess | null = null;
  #named = 0;

  private constructor(rig: LabRig, url: string, engine: Engine, vm: LabVm, seed: number) {
    this.#rig = rig;
    this.#url = url;
    this.#engine = engine;
    this.#vm = vm;
    this.#random = randomOf(seed);
    this.report = { seed, kills: [], faults: [] };
  }

  static async open(rig: LabRig, seed: number): Promise<KillRun> {
    const url = await rig.newDatabase();
    const engine = await startEngine({ databaseUrl: url, config: rig.config(), watch: false, work: false });
    const disks = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 16 }));
    const vm = await rig.lab.host(HOST).defineVm({ name: `killed-${seed}`, disks });
    await vm.start();
    const run = new KillRun(rig, url, engine, vm, seed);
    await run.#startEngine();
    return run;
  }

  async close(): Promise<void> {
    await endChild(this.#child, "SIGKILL");
    await this.#engine.stop();
    if ((await this.#vm.power()) === "running") await this.#vm.stop();
  }

  async #startEngine(): Promise<void> {
    const file = fileURLToPath(new URL("./engine-process.ts", import.meta.url));
    const ward = fileURLToPath(new URL("../../run/die-with-parent.ts", import.meta.url));
    const config = { ...this.#rig.config({ redefineOnStart: "ask", leaseSeconds: 2, giveUpAfterSeconds: 30 }) };
    this.#child = spawn(process.execPath, ["--import", ward, file], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        ...process.env,
        DATABASE_URL: this.#url,
        ENGINE_CONFIG: JSON.stringify(config),
        DRIFTLINE_LOG_LEVEL: process.env.KILL_LOG ?? "fatal",
      },
    });
    if (process.env.KILL_LOG) this.#child.stdout?.pipe(process.stderr);
    await waitForLine(this.#child, /engine ready/, 60_000);
  }

  /** One operation, one or two kills, and everything that must hold afterwards. */
  async round(log: (line: string) => void): Promise<void> {
    const began = Date.now();
    const operation = this.#pick(OPERATIONS);
    const before = await this.#prepare(operation);
    const request = await this.#request(operation, before);
    const jobId = await applyNow(this.#engine.db, this.#vm.id, request);
    const strikes: { victim: Victim; afterMs: number }[] = [this.#strike()];
    // Recovery is interrupted too.
    if (this.#random() < 0.25) strikes.push(this.#strike());
    for (const { victim, afterMs } of strikes) {
      await delay(afterMs);
      await this.#kill(victim);
    }
    const what = `${operation}, ${strikes.map((s) => `${s.victim} after ${s.afterMs} ms`).join(", then ")}`;
    let jobState = "unsettled";
    try {
      jobState = await this.#settle(jobId);
      await this.#checkUnfinished(what);
      await this.#converge();
      await this.#check(what, operation, before, request);
    } catch (error) {
      this.report.faults.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
    for (const { victim, afterMs } of strikes) {
      const n = this.report.kills.length + 1;
      const seconds = (Date.now() - began) / 1_000;
      this.report.kills.push({ n, operation, victim, afterMs, jobState, seconds });
    }
    log(
      `${String(this.report.kills.length).padStart(4)}  ${what}: job ${jobState}, ${((Date.now() - began) / 1_000).toFixed(1)} s`,
    );
  }

  #pick<T>(list: readonly T[]): T {
    const found = list[Math.floor(this.#random() * list.length)];
    if (found === undefined) throw new Error("nothing to pick from");
    return found;
  }

  #strike(): { victim: Victim; afterMs: number } {
    return { victim: this.#pick(VICTIMS), afterMs: Math.floor(this.#random() * LONGEST_DELAY_MS) };
  }

  async #kill(victim: Victim): Promise<void> {
    const host = this.#rig.lab.host(HOST);
    const agent = this.#rig.agents.get(HOST);
    switch (victim) {
      case "agent":
        await agent?.kill();
        await agent?.start();
        return;
      case "engine":
        await endChild(this.#child, "SIGKILL");
        await this.#startEngine();
        return;
      case "libvirtd":
        await host.killDaemon();
        await host.startDaemon();
        return;
      case "qemu":
        await this.#vm.kill();
        await this.#vm.start();
    }
  }

  /** A running VM with a line of some recorded checkpoints, all healthy; then the damage that the operation repairs. */
  async #prepare(operation: Operation): Promise<string[]> {
    const vm = this.#vm;
    let ids = await this.#recordedIds();
    while (ids.length < KEEP) {
      const id = `k${++this.#named}`;
      const { createdAt } = await vm.checkpoint(id);
      await readAll(this.#engine, vm.id);
      await inTransaction(this.#engine.db, async (tx) => {
        await lockVm(tx, { id: vm.id });
        const parentId = ids.at(-1) ?? null;
        const disks = ["vda", "vdb"];
        await insertCheckpoint(tx, {
          vmId: vm.id,
          id,
          parentId,
          createdAt,
          disks,
          state: "active",
          origin: "registered",
        });
        await recompute(tx, vm.id);
      });
      ids = [...ids, id];
      await vm.write("vda", Math.floor(this.#random() * 15) * 1_048_576, 65_536, this.#named % 250);
    }
    if (operation === "redefine")
      for (const id of ids.toReversed()) await vm.deleteCheckpoint(id, { metadataOnly: true });
    if (operation === "heal") {
      const node = await nodeOf((args) => vm.virsh(args), vm.id, vm.disk("vda").path);
      await vm.qmp({
        execute: "block-dirty-bitmap-remove",
        arguments: { node, name: this.#pick(await this.#coveringVda()) },
      });
    }
    if (operation === "backup")
      for (const target of ["vda", "vdb"]) await vm.write(target, 0, 8 * 1_048_576, 1 + (this.#named % 250));
    await readAll(this.#engine, vm.id);
    return ids;
  }

  async #request(operation: Operation, ids: string[]): Promise<PlanRequest> {
    switch (operation) {
      case "redefine":
        return { intent: "redefine", mode: this.#random() < 0.5 ? "strict" : "salvage" };
      case "heal":
        return { intent: "heal", mode: this.#random() < 0.5 ? "strict" : "salvage", findings: null };
      case "prune": {
        const count = 1 + Math.floor(this.#random() * 2);
        const start = Math.floor(this.#random() * (ids.length - count));
        return { intent: "prune", rule: { ids: ids.slice(start, start + count) } };
      }
      case "backup":
        return { intent: "backup", mode: "auto", disks: null, repository: null };
    }
  }

  /** A heal may have left a checkpoint only its other disk. */
  async #coveringVda(): Promise<string[]> {
    const record = await readRecord(this.#engine.db.orm, this.#vm.id);
    const covering = record?.checkpoints.filter((item) => item.disks.some((disk) => disk.target === "vda")) ?? [];
    return covering.map((item) => item.id);
  }

  async #recordedIds(): Promise<string[]> {
    return (await readRecord(this.#engine.db.orm, this.#vm.id))?.checkpoints.map((item) => item.id) ?? [];
  }

  /** Until no job works on the VM and nothing is between two states. Returns how the job ended. */
  async #settle(jobId: string): Promise<string> {
    const { orm } = this.#engine.db;
    const state = async () => ({
      job: await getJob(orm, jobId),
      leftovers: await listLeftovers(orm, 10),
      record: (await readRecord(orm, this.#vm.id))?.checkpoints.filter((item) => item.state !== "active") ?? [],
      live: (await this.#liveJobs()).length,
    });
    const settled = await until(
      state,
      ({ job, leftovers, record, live }) =>
        job?.endedAt != null && leftovers.length === 0 && record.length === 0 && live === 0,
      SETTLE_MS,
    );
    const { job } = settled;
    return job ? `${job.state}${job.error ? ` (${job.error})` : ""}` : "gone";
  }

  async #liveJobs(): Promise<unknown[]> {
    const { rows } = await this.#engine.db.pool.query(
      "select id from jobs where vm_id = $1 and state in ('queued', 'running')",
      [this.#vm.id],
    );
    return rows;
  }

  /** Before anything is repaired: what did not finish is nowhere. */
  async #checkUnfinished(what: string): Promise<void> {
    const { items } = await listBackups(this.#engine.db.orm, { vmId: this.#vm.id, before: null, limit: 200 });
    const recorded = new Set(await this.#recordedIds());
    const listed = new Set((await this.#vm.checkpoints()).map((item) => item.id));
    const bitmaps = new Set((await this.#vm.bitmaps()).map((bitmap) => bitmap.name));
    const fault = (words: string) => this.report.faults.push(`${what}: ${words}`);
    for (const backup of items) {
      const id = backup.checkpointId ?? "";
      if (backup.state === "running") fault(`backup ${id} still counts as running`);
      if (backup.state === "finished") {
        for (const disk of backup.disks)
          if (!existsSync(disk.path ?? "")) fault(`the finished backup ${id} lacks its file ${disk.path}`);
        continue;
      }
      if (recorded.has(id)) fault(`the backup of ${id} ${backup.state}, and it is recorded`);
      if (listed.has(id)) fault(`the backup of ${id} ${backup.state}, and libvirt lists it`);
      if (bitmaps.has(id)) fault(`the backup of ${id} ${backup.state}, and its bitmap is there`);
      for (const disk of backup.disks)
        if (existsSync(disk.path ?? ""))
          fault(`the backup of ${id} ${backup.state}, and its file ${disk.path} is there`);
    }
  }

  /** What a person would do then: redefine what libvirt lost with its process, heal what died with QEMU. */
  async #converge(): Promise<void> {
    const { orm } = this.#engine.db;
    for (let i = 0; i < 4; i++) {
      await readAll(this.#engine, this.#vm.id);
      const open = await listOpenFindings(orm, this.#vm.id);
      if (open.length === 0) return;
      const heals = open.some((finding) => finding.remedies.includes("heal"));
      const request: PlanRequest = heals
        ? { intent: "heal", mode: "salvage", findings: null }
        : { intent: "redefine", mode: "salvage" };
      const jobId = await applyNow(this.#engine.db, this.#vm.id, request);
      await this.#settle(jobId);
    }
    await readAll(this.#engine, this.#vm.id);
  }

  /** Record, libvirt and bitmaps are one; nothing that was not named is lost, nothing is there twice. */
  async #check(what: string, operation: Operation, before: string[], request: PlanRequest): Promise<void> {
    const fault = (words: string) => this.report.faults.push(`${what}: ${words}`);
    const { orm } = this.#engine.db;
    const open = await listOpenFindings(orm, this.#vm.id);
    for (const finding of open) fault(`${finding.id} still stands`);
    const record = (await readRecord(orm, this.#vm.id))?.checkpoints ?? [];
    const listed = await this.#vm.checkpoints();
    const bitmaps = await this.#vm.bitmaps();
    const keysOf = (list: { id: string; disks: { target: string }[] }[]) =>
      list.flatMap((item) => item.disks.map((disk) => `${disk.target}:${item.id}`)).sort();
    const inRecord = keysOf(record);
    const inLibvirt = keysOf(listed);
    const onDisks = [...new Set(bitmaps.map((bitmap) => `${bitmap.target}:${bitmap.name}`))].sort();
    const differs = (a: string[], b: string[]) => a.filter((key) => !b.includes(key)).join(" ");
    if (differs(inRecord, inLibvirt)) fault(`recorded and not in libvirt: ${differs(inRecord, inLibvirt)}`);
    if (differs(inLibvirt, inRecord)) fault(`in libvirt and not recorded: ${differs(inLibvirt, inRecord)}`);
    if (differs(inRecord, onDisks)) fault(`recorded without a bitmap: ${differs(inRecord, onDisks)}`);
    if (differs(onDisks, inRecord)) fault(`a bitmap without an owner: ${differs(onDisks, inRecord)}`);
    const ids = record.map((item) => item.id);
    if (new Set(ids).size !== ids.length) fault(`recorded twice: ${ids.join(" ")}`);
    const wasKilled = what.includes("qemu");
    const named = request.intent === "prune" && "ids" in request.rule ? request.rule.ids : [];
    for (const id of before) {
      // QEMU takes the bitmaps that it had not stored along: healing then removes those checkpoints, rightly.
      const mayGo = wasKilled || named.includes(id) || operation === "heal";
      if (!ids.includes(id) && !mayGo) fault(`lost: ${id}`);
    }
    const lostByHeal = before.filter((id) => !ids.includes(id)).length;
    if (operation === "heal" && !wasKilled && lostByHeal > 1)
      fault(`healing one bitmap took ${lostByHeal} checkpoints`);
  }
}
