/** The host, its VM, the agent and an engine process: what is killed, and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LabHost } from "#lab/host.ts";
import { endProcess } from "#lab/processes.ts";
import type { LabVm } from "#lab/vm.ts";
import { addMonitor, slowDownNextBackup } from "../../../agent/testing/slow-backup.ts";
import { startEngine } from "../../start.ts";
import type { Engine } from "../../state.ts";
import { endChild, type LabRig, waitForLine } from "../lab-rig.ts";
import { until } from "../rig.ts";
import type { Strike, Victim } from "./model.ts";

const HOST = "alpha";
const STEP_MS = 1_500;
const STALL_MS = 120;
/** Whatever lies below what is started later. */
const START_ORDER: readonly Victim[] = ["libvirtd", "qemu", "agent", "engine"];

export class Stage {
  readonly rig: LabRig;
  /** Plans and looks; it runs no job and watches no host. */
  readonly engine: Engine;
  readonly vm: LabVm;
  readonly #url: string;
  readonly #monitor: string;
  #child: ChildProcess | null = null;

  private constructor(rig: LabRig, url: string, engine: Engine, vm: LabVm, monitor: string) {
    this.#monitor = monitor;
    this.rig = rig;
    this.#url = url;
    this.engine = engine;
    this.vm = vm;
  }

  static async open(rig: LabRig, name: string): Promise<Stage> {
    const url = await rig.newDatabase();
    const engine = await startEngine({ databaseUrl: url, config: rig.config(), watch: false, work: false });
    const disks = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 16 }));
    const host = rig.lab.host(HOST);
    const vm = await host.defineVm({ name, disks });
    const monitor = join(rig.lab.dir, "disks", `${name}.sock`);
    await addMonitor(vm, monitor, async (xml) => {
      const file = join(rig.dir, `${name}.xml`);
      writeFileSync(file, xml);
      await host.virsh(["define", file]);
    });
    await vm.start();
    const stage = new Stage(rig, url, engine, vm, monitor);
    await stage.#startEngine();
    return stage;
  }

  async close(): Promise<void> {
    await endChild(this.#child, "SIGKILL");
    await this.engine.stop();
    if ((await this.vm.power()) === "running") await this.vm.stop();
  }

  /** The next backup copies slowly until what this gives is called. */
  async slowDown(): Promise<() => void> {
    const slow = await slowDownNextBackup(this.#monitor, "vda");
    return () => {
      slow.release();
      // Time for the last word to it; its QEMU may be gone.
      setTimeout(() => slow.close(), 500);
    };
  }

  get #host(): LabHost {
    return this.rig.lab.host(HOST);
  }

  /** Waits for the strike's moment in the job; kills all its victims; then starts them again. */
  async strike({ victims, step, afterMs, stalled }: Strike, jobId: string | null): Promise<void> {
    if (step !== null && jobId !== null) await this.#reached(jobId, step);
    await delay(afterMs);
    if (stalled) this.vm.pauseProcess();
    if (stalled) await delay(STALL_MS);
    const qemu = victims.includes("qemu") ? this.vm.process() : null;
    await Promise.all(
      victims.map((victim) => {
        if (victim === "agent") return this.rig.agents.get(HOST)?.kill();
        if (victim === "engine") return endChild(this.#child, "SIGKILL");
        if (victim === "libvirtd") return this.#host.killDaemon();
        return qemu && endProcess(qemu);
      }),
    );
    if (stalled) this.vm.resumeProcess();
    for (const victim of START_ORDER) if (victims.includes(victim)) await this.#start(victim);
  }

  /** In this order: libvirt does not start a VM for which it still holds a backup that it lost. */
  async restartVmAndLibvirt(): Promise<void> {
    await this.vm.stop();
    await this.#host.killDaemon();
    await this.#host.startDaemon();
    await this.vm.start();
  }

  async #start(victim: Victim): Promise<void> {
    if (victim === "libvirtd") return this.#host.startDaemon();
    if (victim === "agent") return this.rig.agents.get(HOST)?.start();
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
    const config = this.rig.config({ redefineOnStart: "ask", leaseSeconds: 2, giveUpAfterSeconds: 30 });
    const child = spawn(process.execPath, ["--import", ward, file], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        ...process.env,
        DATABASE_URL: this.#url,
        ENGINE_CONFIG: JSON.stringify(config),
        DRIFTLINE_LOG_LEVEL: process.env.KILL_LOG ?? "fatal",
      },
    });
    this.#child = child;
    if (process.env.KILL_LOG) child.stdout?.pipe(process.stderr);
    await waitForLine(child, /engine ready/, 60_000);
  }
}
