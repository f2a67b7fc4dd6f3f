/** What a look at a real VM costs, and that it sees every layer of a disk. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { LabHost } from "#lab/host.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import type { LabVm } from "#lab/vm.ts";
import { AgentProcess } from "../testing/agent-process.ts";
import { CallPool } from "./call-pool.ts";
import { Connection } from "./connection.ts";
import { inspectDomain } from "./inspect.ts";
import { observeDomain } from "./observe.ts";
import { RuntimeIds } from "./runtime-id.ts";

const MIB = 2 ** 20;
const DISKS = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 16 }));

/** Counts every call of libvirt by its name. */
class CountingConnection extends Connection {
  readonly counts: Record<string, number> = {};
  override get lib() {
    return new Proxy(super.lib, {
      get: (lib, name) => {
        const call = Reflect.get(lib, name);
        if (typeof call !== "function") return call;
        return (...args: unknown[]) => {
          this.counts[String(name)] = (this.counts[String(name)] ?? 0) + 1;
          return call(...args);
        };
      },
    });
  }
}

describe("a look at a real VM", () => {
  let lab: Lab;
  let host: LabHost;
  let vm: LabVm;
  beforeAll(async () => {
    lab = await openLab({ hosts: ["reads"] });
    host = lab.host("reads");
    vm = await host.defineVm({ name: "guest", disks: DISKS });
    await vm.start();
    await vm.checkpoint("cp1");
  });
  afterAll(() => lab?.close());

  function countCalls(): Record<string, number> {
    const connection = new CountingConnection(host.uri, process.ppid, () => undefined);
    const handle = connection.open();
    try {
      const seen = inspectDomain({ connection, runtimeIds: new RuntimeIds(host.uri) }, handle, vm.id, true);
      if (seen === null || !seen.checkpoints.ok || seen.disks.some(({ live }) => !live?.ok))
        throw new Error("not read");
      return connection.counts;
    } finally {
      connection.close();
    }
  }

  it("that runs is one listing and one question to QEMU, and one definition a checkpoint, whatever its disks", async () => {
    const few = countCalls();
    expect(few).toMatchObject({ domainListAllCheckpoints: 1, qemuMonitorCommand: 1, checkpointGetXml: 1 });
    for (const name of ["cp2", "cp3", "cp4", "cp5"]) await vm.checkpoint(name);
    // With every further checkpoint its definition, and nothing else.
    expect(countCalls()).toEqual({ ...few, checkpointGetXml: 5, checkpointFree: 5 });
  });

  it("that is stopped is as many calls to a child whatever it has, and one qemu-img for each disk's whole chain", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dl-counted-"));
    const log = join(folder, "calls");
    const real = execFileSync("sh", ["-c", "command -v qemu-img"], { encoding: "utf8" }).trim();
    const path = process.env.PATH ?? "";
    const top = join(lab.dir, "disks", "guest-vda.top");
    const spec = ["--diskspec", `vda,file=${top}`, "--diskspec", "vdb,snapshot=no"];
    await vm.virsh(["snapshot-create-as", vm.id, "--disk-only", "--no-metadata", "s1", ...spec]);
    await vm.stop();
    const pool = new CallPool(host.uri);
    try {
      mkdirSync(join(folder, "bin"));
      writeFileSync(join(folder, "bin", "qemu-img"), `#!/bin/sh\necho "$1" >> '${log}'\nexec '${real}' "$@"\n`);
      chmodSync(join(folder, "bin", "qemu-img"), 0o755);
      process.env.PATH = `${join(folder, "bin")}${delimiter}${path}`;
      const call = vi.spyOn(pool, "call");
      const seen = await observeDomain(pool, vm.id, true);
      expect(seen?.disks.map(({ layers }) => layers.ok && layers.value.length)).toEqual([2, 1]);
      expect(seen?.checkpoints.ok).toBe(true);
      expect(call.mock.calls.map(([op]) => op)).toEqual(["inspect", "writers", "writers", "state"]);
      expect(readFileSync(log, "utf8").trim().split("\n")).toEqual(["info", "info"]);
    } finally {
      process.env.PATH = path;
      pool.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("that is stopped shows what was written in every layer of a disk since a checkpoint", async () => {
    const layered = await host.defineVm({ name: "layered", disks: [{ target: "vda", sizeMiB: 16 }] });
    await layered.start();
    await layered.checkpoint("cp1");
    await layered.write("vda", 0, 2 * MIB);
    const spec = ["--diskspec", `vda,file=${join(lab.dir, "disks", "layered.top")}`];
    await layered.virsh(["snapshot-create-as", layered.id, "--disk-only", "--no-metadata", "s1", ...spec]);
    // Half of it over what was written before: counted once.
    await layered.write("vda", MIB, 2 * MIB);
    await layered.write("vda", 8 * MIB, MIB);
    const agent = await AgentProcess.start({ libvirtUri: host.uri });
    try {
      const read = () => agent.get(`/v1/domains/${layered.id}/disks/vda/bitmaps/cp1/extents?buckets=16`);
      const live = await read();
      await layered.stop();
      const cold = await read();
      const expected = { dirtyBytes: 4 * MIB, extentCount: 2, virtualSize: 16 * MIB };
      expect([live.body, cold.body]).toMatchObject([
        { source: "backup-live", ...expected },
        { source: "nbd-cold", ...expected },
      ]);
      expect(cold.body.buckets).toEqual(live.body.buckets);
    } finally {
      await agent.stop();
    }
  });
});
