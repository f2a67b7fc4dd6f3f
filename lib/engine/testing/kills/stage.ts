/** The host, its VM, the agent and an engine process: what is killed, and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LabHost } from "#lab/host.ts";
import { endProcess, isAlive, type ProcessRef } from "#lab/processes.ts";
import type { LabVm } from "#lab/vm.ts";
import { addMonitors, slowDownNextBackup } from "../../../agent/testing/slow-backup.ts";
import type { Config } from "../../config.ts";
import { startEngine } from "../../start.ts";
import type { Engine } from "../../state.ts";
import { endChild, KEEP_COMPILED, type LabRig, waitForLine } from "../lab-rig.ts";
import { until } from "../rig.ts";
import type { Strike, Victim } from "./model.ts";

const STEP_MS = 1_500;
const STALL_MS = 120;
const MIB = 1_048_576;
/** Whatever lies below what is started later. */
const START_ORDER: readonly Victim[] = ["libvirtd", "qemu", "agent", "engine"];

export class Stage {
  readonly rig: LabRig;
  /** Plans and looks; it runs no job and watches no host. */
  readonly engine: Engine;
  readonly vm: LabVm;
  readonly #hostName: string;
  readonly #url: string;
  readonly #monitor: string;
  /** The monitor of whoever watches. */
  readonly watched: string;
  #child: ChildProcess | null = null;
  /** The VM's QEMU when something was killed last. */
  #qemu: ProcessRef | null = null;

  private constructor(rig: LabRig, hostName: string, url: string, engine: Engine, vm: LabVm, monitor: string) {
    this.#hostName = hostName;
    this.#monitor = `${monitor}.sock`;
    this.watched = `${monitor}.watch`;
    this.rig = rig;
    this.#url = url;
    this.engine = engine;
    this.vm = vm;
  }

  /** A database and an engine for this one host of the rig; `name`: of its VM. */
  static async open(rig: LabRig, hostName: string, name: string): Promise<Stage> {
    const url = await rig.newDatabase();
    const config = configOf(rig, hostName);
    const engine = await startEngine({ databaseUrl: url, config, watch: false, work: false });
    const disks = [
      { target: "vda", sizeMiB: 256 },
      { target: "vdb", sizeMiB: 16 },
    ];
    const host = rig.lab.host(hostName);
    const vm = await host.defineVm({ name, disks });
    const monitor = join(rig.lab.dir, "disks", name);
    await addMonitors(vm, [`${monitor}.sock`, `${monitor}.watch`], async (xml) => {
      const file = join(rig.dir, `${name}.xml`);
      writeFileSync(file, xml);
      await host.virsh(["define", file]);
    });
    await vm.start();
    const stage = new Stage(rig, hostName, url, engine, vm, monitor);
    await stage.#startEngine();
    return stage;
  }

  async close(): Promise<void> {
    await endChild(this.#child, "SIGKILL");
    await this.engine.stop();
    if ((await this.vm.power()) === "running") await this.vm.stop();
  }

  /** The next backup of vda copies slowly until `release` is called; `caught`: it does so now. Needs data to copy: `fill`. */
  async slowDown(): Promise<{ caught: Promise<void>; release: () => void }> {
    const slow = await slowDownNextBackup(this.#monitor, "vda");
    return {
      caught: slow.caught,
      release: () => {
        slow.release();
        // Time for the last word to it; its QEMU may be gone.
        setTimeout(() => slow.close(), 500);
      },
    };
  }

  /** More than QEMU has copied by the time that it is told to be slow. */
  async fill(pattern: number): Promise<void> {
    await this.vm.write("vda", 16 * MIB, 192 * MIB, pattern);
    await this.vm.flush("vda");
  }

  get #host(): LabHost {
    return this.rig.lab.host(this.#hostName);
  }

  /**
   * Waits for the strike's moment in the job; kills all its victims; then starts them again. `held`: settles when its
   * copying is held. Returns whether a job ran on the VM when they were killed.
   */
  async strike(
    { victims, from, afterMs, stalled }: Strike,
    jobId: string | null,
    held: Promise<void> | null = null,
  ): Promise<boolean> {
    if (from === "held") await held?.catch(() => undefined);
    else if (from !== "begin" && jobId !== null) await this.#reached(jobId, from);
    await delay(afterMs);
    if (stalled) this.vm.pauseProcess();
    if (stalled) await delay(STALL_MS);
    const inJob = await this.#isJobRunning();
    await this.kill(victims);
    if (stalled) this.vm.resumeProcess();
    await this.revive(victims);
    return inJob;
  }

  async #isJobRunning(): Promise<boolean> {
    const { rowCount } = await this.engine.db.pool.query(
      "select 1 from jobs where vm_id = $1 and state = 'running' limit 1",
      [this.vm.id],
    );
    return (rowCount ?? 0) > 0;
  }

  /** Until `revive` they stay dead. */
  async kill(victims: readonly Victim[]): Promise<void> {
    this.#qemu = this.#findQemu();
    const qemu = victims.includes("qemu") ? this.#qemu : null;
    await Promise.all(
      victims.map((victim) => {
        if (victim === "agent") return this.rig.agents.get(this.#hostName)?.kill();
        if (victim === "engine") return endChild(this.#child, "SIGKILL");
        if (victim === "libvirtd") return this.#host.killDaemon();
        return qemu && endProcess(qemu);
      }),
    );
  }

  async revive(victims: readonly Victim[]): Promise<void> {
    for (const victim of START_ORDER) if (victims.includes(victim)) await this.#start(victim);
  }

  /** In this order: libvirt does not start a VM for which it still holds a backup that it lost. */
  async restartVmAndLibvirt(): Promise<void> {
    await this.vm.stop();
    await this.#host.killDaemon();
    await this.#host.startDaemon();
    await this.vm.start();
  }

  /** A libvirt that has lost the VM may have taken away the file that names the process. */
  #findQemu(): ProcessRef | null {
    try {
      return this.vm.process();
    } catch {
      return this.#qemu;
    }
  }

  /** libvirt takes it for shut off, and its QEMU lives. */
  async isVmLost(): Promise<boolean> {
    return this.#qemu !== null && isAlive(this.#qemu) && (await this.vm.power()) === "shut off";
  }

  /** As whoever ends that QEMU from outside, without force: it stores its bitmaps. */
  async endLostVm(): Promise<void> {
    const qemu = this.#qemu;
    if (qemu === null) return;
    process.kill(qemu.pid, "SIGTERM");
    await until(
      async () => isAlive(qemu),
      (lives) => !lives,
    );
    await this.vm.start();
  }

  async #start(victim: Victim): Promise<void> {
    if (victim === "libvirtd") return this.#host.startDaemon();
    if (victim === "agent") return this.rig.agents.get(this.#hostName)?.start();
    if (victim === "engine") return this.#startEngine();
    await until(
      () => this.vm.power(),
      (power) => power === "shut off",
    );
    await this.vm.start();
  }

  /** So many steps of the job are done, or it has ended, or nothing has moved for a while. */
  async #reached(jobId: string, steps: number): Promise<void> {
    const deadline = Date.now() + STEP_MS;
    while (Date.now() < deadline) {
      const { rows } = await this.engine.db.pool.query<{ done: number; ended: boolean }>(
        `select (select count(*)::int from job_steps s where s.job_id = j.id and s.state in ('succeeded', 'skipped')) as done,
                j.ended_at is not null as ended from jobs j where j.id = $1`,
        [jobId],
      );
      if (!rows[0] || rows[0].ended || rows[0].done >= steps) return;
      await delay(5);
    }
  }

  async #startEngine(): Promise<void> {
    const file = fileURLToPath(new URL("../engine-process.ts", import.meta.url));
    const ward = fileURLToPath(new URL("../../../run/die-with-parent.ts", import.meta.url));
    const policy = { redefineOnStart: "ask", leaseSeconds: 2, giveUpAfterSeconds: 30 };
    const config = configOf(this.rig, this.#hostName, policy);
    const child = spawn(process.execPath, ["--import", ward, "--import", KEEP_COMPILED, file], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        ...process.env,
        DATABASE_URL: this.#url,
        ENGINE_CONFIG: JSON.stringify(config),
        NODE_COMPILE_CACHE: join(this.rig.dir, "compiled"),
        DRIFTLINE_LOG_LEVEL: process.env.KILL_LOG ?? "fatal",
      },
    });
    this.#child = child;
    if (process.env.KILL_LOG) child.stdout?.pipe(process.stderr);
    await waitForLine(child, /engine ready/, 60_000);
  }
}

function configOf(rig: LabRig, hostName: string, policy: object = {}): Config {
  const config = rig.config(policy);
  return { ...config, hosts: config.hosts.filter(({ name }) => name === hostName) };
}
