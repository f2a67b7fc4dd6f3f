/**
 * SIGKILL of the agent and of libvirtd at points chosen by a seed, in each operation that changes a chain. The same call
 * again completes it; what is compared afterwards is what libvirt and QEMU themselves say.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RedefineInput } from "#contract/agent-operations.ts";
import type { LabHost } from "#lab/host.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import type { LabVm } from "#lab/vm.ts";
import { AgentProcess } from "./testing/agent-process.ts";
import { checkpointsOf, observationOf } from "./testing/rig.ts";
import { until } from "./testing/until.ts";

const COUNT = 30;
const IDS = Array.from({ length: COUNT }, (_, i) => `cp${String(i).padStart(2, "0")}`);
/** Every second one goes in the deletion. */
const DOOMED = IDS.filter((_, i) => i % 2 === 1);
const KEPT = IDS.filter((_, i) => i % 2 === 0);
const STRAYS = Array.from({ length: 20 }, (_, i) => `stray ${i}`);
/** How long each takes when nothing is killed, about; a kill comes somewhere in it or shortly after. */
const LASTS_MS = { redefine: 900, delete: 700, bitmaps: 500 };
const VICTIMS = ["agent", "libvirtd"] as const;
const SEED = 20_261_123;

function makeRandom(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const lineOf = (ids: string[]): RedefineInput["checkpoints"] =>
  ids.map((id, i) => ({
    id,
    parentId: ids[i - 1] ?? null,
    createdAt: new Date(Date.UTC(2026, 0, 1, 0, i)).toISOString(),
    disks: [{ target: "vda" }, { target: "vdb" }],
  }));

type Call = { method: "PUT" | "POST"; path: string; body: unknown };

describe("kills", () => {
  let lab: Lab;
  let host: LabHost;
  let vm: LabVm;
  let agent: AgentProcess;
  const random = makeRandom(SEED);

  beforeAll(async () => {
    lab = await openLab({ hosts: ["kills"] });
    host = lab.host("kills");
    vm = await host.defineVm({ name: "victim", disks: ["vda", "vdb"].map((target) => ({ target, sizeMiB: 16 })) });
    await vm.start();
    await vm.checkpoint("foreign.0");
    await addBitmaps([...IDS, "nobody's"]);
    agent = await AgentProcess.start({ libvirtUri: host.uri });
  });
  afterAll(async () => {
    await agent?.stop();
    await lab?.close();
  });

  async function addBitmaps(names: string[]): Promise<void> {
    const actions = names.flatMap((name) =>
      ["libvirt-1-format", "libvirt-2-format"].map((node) => ({
        type: "block-dirty-bitmap-add",
        data: { node, name, persistent: true },
      })),
    );
    await vm.qmp({ execute: "transaction", arguments: { actions } });
  }
  const listed = async (): Promise<string[]> =>
    (await vm.virsh(["checkpoint-list", vm.id, "--name"])).split("\n").filter(Boolean).sort();
  const bitmaps = async (target: string): Promise<string[]> =>
    (await vm.bitmaps()).flatMap((b) => (b.target === target && b.recording && b.persistent ? [b.name] : [])).sort();

  /** What came of it, for the words of a failure. */
  let answered = "";
  /** Whether all of it is done: an answer may also name items that failed, and then the same call is to be made again. */
  async function send({ method, path, body }: Call): Promise<boolean> {
    const address = `/v1/domains/${vm.id}/${path}`;
    const answer = await (method === "PUT" ? agent.put(address, body) : agent.post(address, body)).catch(() => null);
    answered = JSON.stringify(answer?.body ?? null);
    if (answer?.status !== 200) return false;
    const { results = [], failed = [] } = answer.body as { results?: { outcome: string }[]; failed?: unknown[] };
    return failed.length === 0 && results.every(({ outcome }) => outcome !== "failed");
  }

  /** Sends it, kills somewhere in it, brings back what was killed, and sends it again until it is done. */
  async function killIn(call: Call, victim: (typeof VICTIMS)[number], afterMs: number): Promise<void> {
    const first = send(call);
    await sleep(afterMs);
    if (victim === "agent") {
      const gone = new Promise((resolve) => agent.child.once("exit", resolve));
      agent.child.kill("SIGKILL");
      await gone;
      await first;
      await agent.stop();
      agent = await AgentProcess.start({ libvirtUri: host.uri });
    } else {
      await host.killDaemon();
      // Refused, failed or done: whatever it says, the same call again must be right.
      await first;
      await host.startDaemon();
    }
    const seen = await until("the host to be read again", 20_000, async () => {
      const item = await agent.observeOne(vm.id);
      return item.type === "observation" ? observationOf(item) : null;
    });
    // Nothing of ours that is half done looks like somebody's checkpoint.
    const known = new Set([...IDS, "foreign.0"]);
    expect(checkpointsOf(seen).filter(({ id }) => !known.has(id))).toEqual([]);
    await until("the same call to be done", 60_000, async () => (await send(call)) || null);
  }

  async function expectHost(checkpoints: string[], names: string[]): Promise<void> {
    expect(await listed(), `after ${answered}`).toEqual([...checkpoints, "foreign.0"].sort());
    for (const target of ["vda", "vdb"]) {
      expect(await bitmaps(target), target).toEqual([...names, "foreign.0", "nobody's"].sort());
    }
  }

  // Three kills each.
  it.each([VICTIMS[0], VICTIMS[1], VICTIMS[0], VICTIMS[1]])(
    "of the %s in redefine, deletion and deletion of bitmaps: the same call completes it, nothing foreign is touched",
    async (victim) => {
      const at = (op: keyof typeof LASTS_MS) => Math.floor(random() * LASTS_MS[op]);
      const redefine: Call = { method: "PUT", path: "checkpoints", body: { checkpoints: lineOf(IDS) } };
      await killIn(redefine, victim, at("redefine"));
      await expectHost(IDS, IDS);
      const done = await agent.put(`/v1/domains/${vm.id}/checkpoints`, redefine.body);
      expect([done.body.unchanged, done.body.defined, done.body.replaced]).toEqual([IDS, [], []]);

      await killIn({ method: "POST", path: "checkpoints/delete", body: { ids: DOOMED } }, victim, at("delete"));
      await expectHost(KEPT, KEPT);

      await addBitmaps(STRAYS);
      const items = STRAYS.flatMap((bitmap) => ["vda", "vdb"].map((disk) => ({ disk, bitmap })));
      await killIn({ method: "POST", path: "bitmaps/delete", body: { items } }, victim, at("bitmaps"));
      await expectHost(KEPT, KEPT);

      // The next round begins without metadata, as after a migration.
      const rest = await agent.post(`/v1/domains/${vm.id}/checkpoints/delete`, { ids: KEPT });
      expect(rest.status).toBe(200);
      await addBitmaps(IDS);
    },
  );
});
