/** The proof of a restore on a real host: what it says of good, wrong, damaged and unreachable backups. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Lab, openLab } from "#lab/lab.ts";
import type { LabVm } from "#lab/vm.ts";
import { hostKey } from "./backups/note.ts";
import { AgentProcess } from "./testing/agent-process.ts";
import { BackupClient } from "./testing/backup-client.ts";
import { until } from "./testing/until.ts";

const run = promisify(execFile);
const MIB = 2 ** 20;

describe("verification of backups of a real host", () => {
  let lab: Lab;
  let agent: AgentProcess;
  let vm: LabVm;
  let backups: BackupClient;
  const temporary = (): string[] => readdirSync(backups.at(".driftline/tmp"));
  /** The digest of the content of a stopped disk, by other means than the agent's. */
  const digestOf = async (path: string): Promise<string> => {
    const raw = join(lab.dir, "raw");
    await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", path, raw]);
    const digest = createHash("sha256").update(readFileSync(raw)).digest("hex");
    rmSync(raw);
    return digest;
  };
  const startAgent = () => AgentProcess.start({ libvirtUri: lab.host("verify").uri, repositories: [lab.repository] });

  beforeAll(async () => {
    lab = await openLab({ hosts: ["verify"] });
    const disks = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 64 }));
    vm = await lab.host("verify").defineVm({ name: "guest", disks });
    await vm.start();
    agent = await startAgent();
    backups = new BackupClient(() => agent, lab.repository);
    await vm.write("vda", 0, 24 * MIB, 1);
    await vm.write("vdb", 0, MIB, 1);
    await backups.make(vm.id, "one", [backups.full("vda", "1/vda"), backups.full("vdb", "1/vdb")]);
    await vm.write("vda", 5 * MIB, 3 * MIB, 2);
    await backups.make(vm.id, "two", [
      backups.incremental("vda", "one", "2/vda", "1/vda"),
      backups.incremental("vdb", "one", "2/vdb", "1/vdb"),
    ]);
  });
  afterAll(async () => {
    await agent?.stop();
    await lab?.close();
  });

  it("hashes and checks while the VM runs, and says why it does not compare", async () => {
    const [vda] = await backups.verdicts({ vda: "2/vda" }, { vmId: vm.id, checkpointId: "two" });
    expect(vda).toMatchObject({ comparedWithDisk: "not-comparable", error: null, virtualSize: 64 * MIB });
    expect(vda?.detail).toContain("running");
    expect(vda?.images.map(({ path, ok }) => [path, ok])).toEqual([
      [backups.at("2/vda"), true],
      [backups.at("1/vda"), true],
    ]);
    expect(vda?.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it("finds the restored content equal to the stopped disk, tells how far it is, and leaves no file", async () => {
    await vm.stop();
    const items = await backups.verify({ vda: "2/vda", vdb: "2/vdb" }, { vmId: vm.id, checkpointId: "two" });
    const disks = items.filter((item) => item.type === "disk");
    expect(disks.map(({ target, comparedWithDisk, detail }) => [target, comparedWithDisk, detail])).toEqual([
      ["vda", "equal", null],
      ["vdb", "equal", null],
    ]);
    expect(disks.map(({ sha256 }) => sha256)).toEqual([
      await digestOf(vm.disk("vda").path),
      await digestOf(vm.disk("vdb").path),
    ]);
    const steps = items.flatMap((item) => (item.type === "progress" && item.target === "vda" ? [item] : []));
    expect([...new Set(steps.map(({ what }) => what))]).toEqual(["check", "restore", "compare"]);
    for (const { doneBytes, totalBytes } of steps) expect(doneBytes).toBeLessThanOrEqual(totalBytes);
    expect(temporary()).toEqual([]);
  });

  it("does not call an older point in time different, but written to since", async () => {
    const [older] = await backups.verdicts({ vda: "1/vda" }, { vmId: vm.id, checkpointId: "one" });
    expect(older).toMatchObject({ comparedWithDisk: "not-comparable", error: null });
    expect(older?.detail).toContain("written since 'one'");
    const [unnamed] = await backups.verdicts({ vda: "1/vda" }, { vmId: vm.id });
    expect(unnamed).toMatchObject({ comparedWithDisk: "not-comparable" });
    expect(unnamed?.detail).toContain("cannot be told");
  });

  it("names the first byte at which a wrong backup differs from the disk", async () => {
    const io = (pattern: number) =>
      run("qemu-io", ["-f", "qcow2", "-c", `write -P ${pattern} ${6 * MIB} 4096`, backups.at("2/vda")]);
    await io(77);
    const [wrong] = await backups.verdicts({ vda: "2/vda" }, { vmId: vm.id, checkpointId: "two" });
    expect(wrong).toMatchObject({
      comparedWithDisk: "differs",
      detail: `first at byte ${6 * MIB}`,
      images: [{ ok: true }, { ok: true }],
    });
    await io(2);
    const [right] = await backups.verdicts({ vda: "2/vda" }, { vmId: vm.id, checkpointId: "two" });
    expect(right?.comparedWithDisk).toBe("equal");
  });

  it("takes no lock that keeps the VM from starting, and notices that it started", async () => {
    const verifying = backups.verdicts({ vda: "2/vda" }, { vmId: vm.id, checkpointId: "two" });
    const comparing = await catchChild(agent.child.pid, "compare");
    try {
      await vm.start();
    } finally {
      process.kill(comparing, "SIGCONT");
    }
    const [seen] = await verifying;
    expect(seen).toMatchObject({
      comparedWithDisk: "not-comparable",
      detail: "The VM was started while it was compared.",
    });
    await vm.stop();
  });

  it("restores nothing from a chain with a damaged image, and names it", async () => {
    const path = backups.at("1/vdb");
    const good = readFileSync(path);
    const bad = Buffer.from(good);
    // The L1 table's entries: every cluster of the image lies somewhere else now.
    const table = Number(bad.readBigUInt64BE(40));
    bad.writeBigUInt64BE(0x8000_0000_0001_0000n, table);
    writeFileSync(path, bad);
    const [vdb] = await backups.verdicts({ vdb: "2/vdb" }, null);
    expect(vdb).toMatchObject({ sha256: null, error: { code: "unreadable" } });
    expect(vdb?.images.map((image) => [image.path, image.ok])).toEqual([
      [backups.at("2/vdb"), true],
      [path, false],
    ]);
    writeFileSync(path, good);
  });

  it("opens nothing outside the repositories, whatever an image says that it stands on", async () => {
    mkdirSync(backups.at("evil"));
    const outside = join(lab.dir, "outside");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", outside, "64M"]);
    await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", outside, "-F", "qcow2", backups.at("evil/vda")]);
    const [vda] = await backups.verdicts({ vda: "evil/vda" }, null);
    expect(vda).toMatchObject({ sha256: null, error: { code: "unreadable" } });
    expect(vda?.error?.message).toContain("not inside a repository");
    for (const path of [outside, `${lab.repository}/../outside`, backups.at("none")]) {
      const response = await backups.verifyRequest({ disks: [{ target: "vda", path }], compareWith: null });
      expect(response.status).toBe(422);
    }
  });

  it("ends with its reader and leaves no file", async () => {
    const stop = new AbortController();
    const disks = [{ target: "vda", path: backups.at("2/vda") }];
    const response = await backups.verifyRequest({ disks, compareWith: null }, stop.signal);
    const reader = response.body?.getReader();
    await reader?.read();
    stop.abort();
    await until("the temporary file to go", 10_000, () => temporary().length === 0 || null);
  });

  it("removes what a killed agent has left, and nothing of an agent that runs or of another host", async () => {
    const folder = backups.at(".driftline/tmp");
    const key = hostKey(lab.host("verify").uri);
    const [left, other] = [`${key}_1-0_1.raw`, `${"0".repeat(16)}_1-0_1.raw`];
    for (const name of [left, other]) writeFileSync(join(folder, name), "x");
    const second = await startAgent();
    try {
      await until("the leftover to go", 10_000, () => !existsSync(join(folder, left)) || null);
      expect(temporary()).toEqual([other]);
    } finally {
      await second.stop();
    }
  });
});

/** Empty of a process that has ended. */
function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/** Stops the agent's next `qemu-img <verb>` in the middle; gives its process id. */
async function catchChild(parent: number | undefined, verb: string): Promise<number> {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ");
    for (const pid of children) {
      const [tool, first] = argumentsOf(pid);
      if (tool !== "qemu-img" || first !== verb) continue;
      process.kill(Number(pid), "SIGSTOP");
      return Number(pid);
    }
    await nextTurn();
  }
  throw new Error(`the agent ran no qemu-img ${verb}`);
}
