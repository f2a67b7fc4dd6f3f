/** What only a real libvirt and QEMU do when a chain is changed: errors in the middle, layers, leftovers, locks. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  deleteBitmapsResultSchema,
  deleteCheckpointsResultSchema,
  type RedefineInput,
  redefineResultSchema,
} from "#contract/agent-operations.ts";
import type { LabHost } from "#lab/host.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import type { LabVm } from "#lab/vm.ts";
import { TEMPORARY_CHECKPOINT } from "./operations/host-steps.ts";
import { AgentProcess } from "./testing/agent-process.ts";
import { checkpointsOf, observationOf } from "./testing/rig.ts";
import { until } from "./testing/until.ts";

const run = promisify(execFile);
const DISKS = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 16 }));

describe("changes of a chain on real libvirt", () => {
  let lab: Lab;
  let host: LabHost;
  let vm: LabVm;
  let agent: AgentProcess;
  const line = (ids: string[]): RedefineInput["checkpoints"] =>
    ids.map((id, i) => ({
      id,
      parentId: ids[i - 1] ?? null,
      createdAt: new Date(Date.UTC(2026, 0, 1, 0, i)).toISOString(),
      disks: [{ target: "vda" }, { target: "vdb" }],
    }));
  const listed = async () => (await vm.virsh(["checkpoint-list", vm.id, "--name"])).split("\n").filter(Boolean);
  const observe = async () => observationOf(await agent.observeOne(vm.id));

  beforeAll(async () => {
    lab = await openLab({ hosts: ["changes"] });
    host = lab.host("changes");
    vm = await host.defineVm({ name: "changed", disks: DISKS });
    await vm.start();
    for (const id of ["a", "b", "c", "d"]) await vm.checkpoint(id);
    agent = await AgentProcess.start({ libvirtUri: host.uri });
  });
  afterAll(async () => {
    await agent?.stop();
    await lab?.close();
  });

  it("strict takes back what it defined when libvirt fails in the middle, and keeps libvirt's own numbers", async () => {
    const ids = ["a", "b", "c", "d"];
    for (const id of ids) await vm.deleteCheckpoint(id, { metadataOnly: true });
    await vm.redefine({ id: "a", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: [], isDiskless: true });
    const before = (await observe()).digest;
    // libvirt cannot write the definition of c: a directory stands in its place.
    const { stdout } = await run("find", [lab.dir, "-type", "d", "-path", "*/checkpoint/changed"]);
    const obstacle = join(stdout.trim(), "c.xml");
    mkdirSync(obstacle);
    try {
      const answer = await agent.put(`/v1/domains/${vm.id}/checkpoints`, { checkpoints: line(ids) });
      const result = redefineResultSchema.parse(answer.body);
      expect(result.failed.map(({ id }) => id)).toEqual(["c"]);
      expect(result.failed[0]?.error.libvirtCode).not.toBeNull();
      expect(result.failed[0]?.error.hostMessage).toContain("unable to save metadata for checkpoint c");
      expect([result.rolledBack, result.notTried, result.defined]).toEqual([["b", "a"], ["d"], []]);
      expect(result.proof.digest).toBe(before);
      expect((await observe()).digest).toBe(before);
    } finally {
      rmSync(obstacle, { recursive: true });
    }
    const answer = await agent.put(`/v1/domains/${vm.id}/checkpoints`, { checkpoints: line(ids) });
    const again = redefineResultSchema.parse(answer.body);
    expect([again.defined, again.replaced]).toEqual([["b", "c", "d"], ["a"]]);
  });

  it("libvirt's next checkpoint stands below the last of the line that was defined", async () => {
    const { parentId } = await vm.checkpoint("e");
    expect(parentId).toBe("d");
  });

  it("hides what a killed agent has left, and the next agent takes it away and leaves the bitmap", async () => {
    const disks = [{ target: "vda", bitmap: "e" }];
    await vm.redefine({ id: TEMPORARY_CHECKPOINT, createdAt: "1970-01-01T00:00:01Z", disks });
    expect(checkpointsOf(await observe()).map(({ id }) => id)).toEqual(["a", "b", "c", "d", "e"]);
    expect(await listed()).toContain(TEMPORARY_CHECKPOINT);
    const next = await AgentProcess.start({ libvirtUri: host.uri });
    try {
      await until("the leftover to go", 10_000, async () => !(await listed()).includes(TEMPORARY_CHECKPOINT) || null);
    } finally {
      await next.stop();
    }
    expect((await vm.bitmaps()).filter(({ name }) => name === "e")).toHaveLength(2);
  });

  it("a running VM loses a bitmap in every layer, also where the active one has none", async () => {
    const top = `${vm.disk("vda").path}.overlay`;
    const spec = ["--diskspec", `vda,file=${top}`, "--diskspec", "vdb,snapshot=no"];
    await vm.virsh(["snapshot-create-as", vm.id, "--disk-only", "--no-metadata", "s1", ...spec]);
    const nodes = (await vm.qmp({ execute: "query-named-block-nodes", arguments: { flat: true } })) as {
      "node-name": string;
      file: string;
      drv: string;
    }[];
    const node = nodes.find((one) => one.file === top && one.drv === "qcow2")?.["node-name"];
    for (const name of ["b", "d"]) await vm.qmp({ execute: "block-dirty-bitmap-remove", arguments: { node, name } });
    const held = async (name: string) => (await vm.bitmaps()).filter((b) => b.name === name && b.target === "vda");
    expect([await held("b"), await held("d"), await held("c")].map(({ length }) => length)).toEqual([1, 1, 2]);

    const deleted = await agent.post(`/v1/domains/${vm.id}/checkpoints/delete`, { ids: ["b", "c"] });
    expect(deleteCheckpointsResultSchema.parse(deleted.body).results.map(({ outcome }) => outcome)).toEqual([
      "deleted",
      "deleted",
    ]);
    const items = [{ disk: "vda", bitmap: "d" }];
    const removed = await agent.post(`/v1/domains/${vm.id}/bitmaps/delete`, { items });
    expect(deleteBitmapsResultSchema.parse(removed.body).results[0]).toMatchObject({ outcome: "deleted" });
    expect([...(await held("b")), ...(await held("c")), ...(await held("d"))]).toEqual([]);
    expect((await held("a")).length).toBe(2);
  });

  it("a stopped VM whose image somebody holds is refused, and nothing is removed", async () => {
    await vm.stop();
    const before = await vm.bitmaps();
    const image = `${vm.disk("vdb").path}`;
    const socket = join(lab.dir, "disks", "hold.sock");
    const holder = spawn("qemu-nbd", ["-t", "-f", "qcow2", "-k", socket, image], { stdio: "ignore" });
    try {
      await until("the image to be held", 5_000, async () => {
        const disk = (await observe()).disks.find(({ target }) => target === "vdb");
        return disk?.layers.ok === false || null;
      });
      const answer = await agent.post(`/v1/domains/${vm.id}/checkpoints/delete`, { ids: ["a"] });
      const { results } = deleteCheckpointsResultSchema.parse(answer.body);
      expect(results[0]).toMatchObject({ outcome: "failed", error: { code: "image-locked", retryable: true } });
      expect(await listed()).toContain("a");
    } finally {
      holder.kill("SIGTERM");
      await new Promise((resolve) => holder.once("exit", resolve));
    }
    expect((await vm.bitmaps()).map(({ name, layer }) => [name, layer])).toEqual(
      before.map(({ name, layer }) => [name, layer]),
    );
  });
});
