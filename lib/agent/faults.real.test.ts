/** What the agent says, and how soon, when something on a real host is broken. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostInfoSchema, type ObserveItem } from "#contract/agent.ts";
import type { LabHost } from "#lab/host.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import type { LabVm } from "#lab/vm.ts";
import { readStartTime } from "./libvirt/runtime-id.ts";
import { AgentProcess } from "./testing/agent-process.ts";
import { bitmapsOf, observationOf } from "./testing/rig.ts";
import { until } from "./testing/until.ts";

const run = promisify(execFile);
const VDA = [{ target: "vda", sizeMiB: 16 }];

/** The failure of a disk's layers. */
function layersError(item: ObserveItem, target = "vda") {
  const layers = observationOf(item).disks.find((disk) => disk.target === target)?.layers;
  if (layers === undefined || layers.ok) throw new Error(`${target} was read: ${JSON.stringify(layers)}`);
  return layers.error;
}
/** Running or sleeping; one that nobody has reaped yet counts as gone. */
const isAlive = (pid: number): boolean => readStartTime(pid) !== null;
async function timed<T>(promise: Promise<T>): Promise<{ value: T; ms: number }> {
  const began = Date.now();
  return { value: await promise, ms: Date.now() - began };
}

describe("faults of a real host", () => {
  let lab: Lab;
  let host: LabHost;
  let agent: AgentProcess;
  let running: LabVm;
  let other: LabVm;
  let stopped: LabVm;

  beforeAll(async () => {
    lab = await openLab({ hosts: ["faults"] });
    host = lab.host("faults");
    running = await host.defineVm({ name: "runs", disks: VDA });
    other = await host.defineVm({ name: "other", disks: VDA });
    stopped = await host.defineVm({ name: "rests", disks: VDA });
    for (const vm of [running, other]) {
      await vm.start();
      await vm.checkpoint("cp1");
    }
    // The account that owns the images, not root: root is stopped by no permission. Whoever is not root owns them.
    const { account } = lab.context;
    agent = await AgentProcess.start({ libvirtUri: host.uri, ...(account && { as: { ...account, groups: [] } }) });
  });
  afterAll(async () => {
    await agent?.stop();
    await lab?.close();
  });

  it("calls a bitmap of a running domain recording although its image file shows it in use", async () => {
    await other.stop();
    await other.start();
    const file = other.disk("vda").path;
    const { stdout } = await run("qemu-img", ["info", "-U", "--output=json", file]);
    expect(stdout).toContain("in-use");
    const seen = observationOf(await agent.observeOne(other.id));
    expect(seen.source).toBe("qmp");
    expect(bitmapsOf(seen, "vda")).toMatchObject([{ name: "cp1", recording: true, inconsistent: false }]);
  });

  it("is not taken in by another account's process that bears a domain's UUID and names its host's folder", async () => {
    const args = ["-c", "echo; read -r _", "-uuid", other.id, "-name", `${host.socket}/`];
    // Only root can make it another account's.
    const account = process.getuid?.() === 0 ? { uid: 1, gid: 1 } : {};
    const fake = spawn("sh", args, { argv0: "qemu-system-x86_64", stdio: ["pipe", "pipe", "ignore"], ...account });
    try {
      await once(fake.stdout, "data");
      const fresh = await AgentProcess.start({ libvirtUri: host.uri });
      try {
        const { runtimeId } = observationOf(await fresh.observeOne(other.id));
        expect(runtimeId).toMatch(new RegExp(`^${other.process().pid}-`));
        // Its folder is given to QEMU's account, which must reach it.
        const { status, body } = await fresh.get(`/v1/domains/${other.id}/disks/vda/bitmaps/cp1/extents`);
        expect([status, body.source]).toEqual([200, "backup-live"]);
      } finally {
        await fresh.stop();
      }
    } finally {
      fake.kill("SIGKILL");
    }
  });

  it("times out a domain whose QEMU hangs, at once the next time, while another domain answers quickly", async () => {
    running.pauseProcess();
    try {
      const hung = timed(agent.observeOne(running.id));
      const quick = await timed(agent.observeOne(other.id));
      expect(observationOf(quick.value).power).toBe("running");
      expect(quick.ms).toBeLessThan(5_000);
      const first = await hung;
      expect(first.value).toMatchObject({ type: "failed", error: { code: "timeout", retryable: true } });
      expect(first.ms).toBeLessThan(15_000);
      const again = await timed(agent.observeOne(running.id));
      expect(again.value).toMatchObject({ type: "failed", error: { code: "timeout" } });
      expect(again.ms).toBeLessThan(4_000);
      expect(observationOf(await agent.observeOne(other.id)).power).toBe("running");
    } finally {
      running.resumeProcess();
    }
    await until("the domain to be read again", 45_000, async () => {
      const item = await agent.observeOne(running.id);
      return item.type === "observation" ? item : null;
    });
  });

  it("answers for a healthy domain within seconds while several hang, the first time too, at one child each", async () => {
    const hung: LabVm[] = [];
    for (const name of ["h1", "h2", "h3", "h4", "h5"]) {
      const vm = await host.defineVm({ name, disks: VDA });
      await vm.start();
      hung.push(vm);
    }
    const lost = async (): Promise<number> => {
      const text = await (await agent.request("/metrics")).text();
      return Number(/^driftline_agent_call_children_lost_total (\d+)$/m.exec(text)?.[1]);
    };
    const before = await lost();
    for (const vm of hung) vm.pauseProcess();
    try {
      // The healthy one last: there it would wait the longest.
      const domains = [...hung, other].map(({ id }) => id);
      const first = await timeUntil(domains, other.id);
      expect(first.ms).toBeLessThan(6_000);
      expect(first.items.filter(({ type }) => type === "failed")).toHaveLength(hung.length);
      // A child's end is told a moment after its domain's failure.
      await until("the children to be lost", 5_000, async () => (await lost()) - before >= hung.length || null);
      expect((await lost()) - before).toBe(hung.length);
      const second = await timeUntil(domains, other.id);
      expect(second.ms).toBeLessThan(3_000);
      // At most one of them is tried again.
      expect((await lost()) - before).toBeLessThanOrEqual(hung.length + 1);
    } finally {
      for (const vm of hung) await vm.kill();
    }
  });

  /** All items of one observe, and how long the domain's was waited for. */
  async function timeUntil(domains: string[], vmId: string): Promise<{ ms: number; items: ObserveItem[] }> {
    const began = Date.now();
    let ms = Number.POSITIVE_INFINITY;
    const items = await agent.observe({ domains }, (item) => {
      if (item.type === "observation" && item.observation.vmId === vmId) ms = Date.now() - began;
    });
    return { ms, items };
  }

  it("says disconnected while libvirtd hangs, within its deadlines, and recovers when it goes on", async () => {
    host.pauseDaemon();
    try {
      const state = await timed(agent.get("/v1/host"));
      expect(hostInfoSchema.parse(state.value.body).connection).toMatchObject({ state: "disconnected" });
      expect(state.ms).toBeLessThan(8_000);
      const item = await timed(agent.observeOne(other.id));
      expect(item.value).toMatchObject({ type: "failed", error: { retryable: true } });
      expect(item.ms).toBeLessThan(15_000);
      const ready = await fetch(`${agent.address}/readyz`);
      expect(ready.status).toBe(503);
    } finally {
      host.resumeDaemon();
    }
    await until("the host to be connected again", 30_000, async () => {
      const { body } = await agent.get("/v1/host");
      return hostInfoSchema.parse(body).connection.state === "connected" || null;
    });
    await until("the domain to be read again", 30_000, async () => {
      const item = await agent.observeOne(other.id);
      return item.type === "observation" ? item : null;
    });
  });

  it("recovers from a killed libvirtd without a restart, tells its readers, and runs keep their runtime id", async () => {
    const events = await agent.listen();
    const before = observationOf(await agent.observeOne(other.id)).runtimeId;
    await host.killDaemon();
    const states = (): string[] => events.seen.flatMap((e) => (e.type === "connection" ? [e.state] : []));
    await until("disconnected", 10_000, () => states().at(-1) === "disconnected" || null);
    await host.startDaemon();
    await until("connected", 15_000, () => states().at(-1) === "connected" || null);
    expect(observationOf(await agent.observeOne(other.id)).runtimeId).toBe(before);
    events.stop();
  });

  it("goes on when every process that talks to libvirt is killed", async () => {
    const events = await agent.listen();
    await agent.observeOne(other.id);
    const children = readFileSync(`/proc/${agent.child.pid}/task/${agent.child.pid}/children`, "utf8").trim();
    expect(children.split(" ").length).toBeGreaterThanOrEqual(2);
    for (const pid of children.split(" ")) process.kill(Number(pid), "SIGKILL");
    const states = (): string[] => events.seen.flatMap((e) => (e.type === "connection" ? [e.state] : []));
    await until("connected again", 10_000, () => states().join() === "connected,disconnected,connected" || null);
    expect(observationOf(await agent.observeOne(other.id)).power).toBe("running");
    events.stop();
  });

  it("leaves no process behind when it is killed itself, also while a call hangs", async () => {
    const doomed = await AgentProcess.start({ libvirtUri: host.uri });
    const pid = doomed.child.pid;
    running.pauseProcess();
    try {
      const hung = doomed.observeOne(running.id).catch(() => "cut off");
      const children = await until("a busy child", 5_000, () => {
        const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
        return text.split(" ").length >= 2 ? text.split(" ") : null;
      });
      process.kill(pid ?? 0, "SIGKILL");
      expect(await hung).toBe("cut off");
      await until("its children to be gone", 5_000, () => children.every((child) => !isAlive(Number(child))) || null);
      await doomed.stop();
    } finally {
      running.resumeProcess();
    }
    await until("the domain to be read again", 45_000, async () => {
      const item = await agent.observeOne(running.id);
      return item.type === "observation" ? item : null;
    });
  });

  it("says image-locked for a stopped domain whose image somebody holds open", async () => {
    const folder = join(lab.dir, "disks");
    const socket = join(folder, "hold.sock");
    const args = ["-t", "-f", "qcow2", "-k", socket, stopped.disk("vda").path];
    const holder = spawn("qemu-nbd", args, { stdio: "ignore" });
    try {
      await until("qemu-nbd to hold the image", 5_000, () => existsSync(socket) || null);
      const error = layersError(await agent.observeOne(stopped.id));
      expect(error).toMatchObject({ code: "image-locked", retryable: true });
      expect(error.hostMessage).toContain("lock");
    } finally {
      holder.kill("SIGKILL");
      rmSync(socket, { force: true });
    }
    await until("the lock to go", 5_000, async () => {
      const disk = observationOf(await agent.observeOne(stopped.id)).disks[0];
      return disk?.layers.ok || null;
    });
  });

  it("says permission-denied for an image that it may not open", async () => {
    const { path } = stopped.disk("vda");
    chmodSync(path, 0);
    try {
      expect(layersError(await agent.observeOne(stopped.id))).toMatchObject({ code: "permission-denied" });
    } finally {
      chmodSync(path, 0o644);
    }
  });

  it("says image-missing for an image that is gone and unreadable for one that is no qcow2", async () => {
    const vm = await host.defineVm({ name: "broken", disks: VDA });
    const { path } = vm.disk("vda");
    writeFileSync(path, Buffer.alloc(4096, 7));
    const broken = layersError(await agent.observeOne(vm.id));
    expect(broken).toMatchObject({ code: "unreadable", retryable: false });
    rmSync(path);
    expect(layersError(await agent.observeOne(vm.id))).toMatchObject({ code: "image-missing" });
  });

  it("reads a raw disk as one layer without bitmaps, and an old qcow2 with its version", async () => {
    const disks = [
      { target: "vda", sizeMiB: 8, format: "raw" as const },
      { target: "vdb", sizeMiB: 8, format: "qcow2-v2" as const },
    ];
    const vm = await host.defineVm({ name: "plain", disks });
    for (const isOn of [false, true]) {
      if (isOn) await vm.start();
      const seen = observationOf(await agent.observeOne(vm.id));
      expect(seen.disks.map((disk) => [disk.virtualSize, disk.layers])).toEqual([
        [8 * 2 ** 20, { ok: true, value: [expect.objectContaining({ format: "raw", bitmaps: [] })] }],
        [8 * 2 ** 20, { ok: true, value: [expect.objectContaining({ qcow2Compat: "0.10", bitmaps: [] })] }],
      ]);
    }
    await vm.stop();
  });

  /** libvirt looks itself: a checkpoint whose bitmap is missing is not defined, and the others are. */
  async function expectValidatedByLibvirt(strict: AgentProcess): Promise<void> {
    const [listed] = await other.checkpoints();
    if (!listed) throw new Error("cp1 should be listed");
    const disks = listed.disks.map(({ target }) => ({ target }));
    const cp1 = { id: "cp1", parentId: null, createdAt: listed.createdAt, disks };
    const gone = { ...cp1, id: "gone", parentId: "cp1" };
    await other.deleteCheckpoint("cp1", { metadataOnly: true });
    const path = `/v1/domains/${other.id}/checkpoints`;
    const answer = await strict.put(path, { checkpoints: [cp1, gone], mode: "salvage" });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        defined: ["cp1"],
        failed: [{ id: "gone", error: { code: "checkpoint-inconsistent", libvirtCode: 109 } }],
      },
    });
    expect((await other.checkpoints()).map(({ id }) => id)).toEqual(["cp1"]);
  }

  it("leaves the bitmaps of running domains alone where qmp is forbidden, and says so", async () => {
    const strict = await AgentProcess.start({ libvirtUri: host.uri, qmp: "forbid" });
    try {
      const item = await strict.observeOne(other.id);
      expect(layersError(item)).toMatchObject({ code: "qmp-forbidden" });
      expect(observationOf(item).checkpoints).toMatchObject({ ok: true, value: [{ id: "cp1" }] });
      expect(observationOf(await strict.observeOne(stopped.id)).disks[0]?.layers.ok).toBe(true);
      const { capabilities, switchedOff } = hostInfoSchema.parse((await strict.get("/v1/host")).body);
      expect(capabilities.qmp).toBe(false);
      expect(switchedOff[0]?.what).toContain("running");
      await expectValidatedByLibvirt(strict);
    } finally {
      await strict.stop();
    }
  });

  it("refuses extents with 409 while a job is on the domain, and does not end that job", async () => {
    const folder = join(lab.dir, "disks");
    await running.write("vda", 0, 2 ** 20);
    const socket = join(folder, "foreign.sock");
    const xml = join(folder, "foreign.xml");
    writeFileSync(xml, pullXml(socket, join(folder, "foreign.scratch")));
    await running.virsh(["backup-begin", running.id, xml]);
    try {
      const { status, body } = await agent.get(`/v1/domains/${running.id}/disks/vda/bitmaps/cp1/extents`);
      expect([status, body.code, body.retryable]).toEqual([409, "vm_busy", true]);
      const seen = observationOf(await agent.observeOne(running.id));
      expect(seen.job).toMatchObject({ ok: true, value: { operation: "backup" } });
      expect(bitmapsOf(seen, "vda").map((b) => b.name)).toEqual(["cp1"]);
    } finally {
      await running.abortJob();
    }
  });

  it("ends the pull job that an agent which was killed has left behind", async () => {
    const folder = join(tmpdir(), `driftline-pull-test${process.pid}`);
    mkdirSync(folder, { mode: 0o700 });
    const { account } = lab.context;
    if (account !== null) chownSync(folder, account.uid, account.gid);
    const socketPath = join(folder, "nbd.sock");
    const note = { uri: host.uri, vmId: running.id, socketPath, agent: "1-0" };
    writeFileSync(join(folder, "job.json"), JSON.stringify(note));
    const xml = join(lab.dir, "disks", "left.xml");
    writeFileSync(xml, pullXml(socketPath, join(folder, "scratch.qcow2")));
    await running.virsh(["backup-begin", running.id, xml]);
    const next = await AgentProcess.start({ libvirtUri: host.uri, ownTmp: false });
    try {
      await until("the job to end", 10_000, async () => {
        const { job } = observationOf(await next.observeOne(running.id));
        return (job.ok && job.value.operation === "none") || null;
      });
      await until("the folder to go", 5_000, () => !existsSync(folder) || null);
    } finally {
      await next.stop();
    }
  });
});

const pullXml = (socket: string, scratch: string): string =>
  `<domainbackup mode='pull'><server transport='unix' socket='${socket}'/>` +
  `<disks><disk name='vda' backup='yes' type='file'><scratch file='${scratch}'/></disk></disks></domainbackup>`;
