import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HostError, RedefineInput } from "#contract/agent-operations.ts";
import { hostError } from "../host-error.ts";
import { type InterferedHost, openInterferedHost } from "../testing/interfered.ts";
import { redefine } from "./redefine.ts";

const PERMANENT = hostError("internal", "no", { libvirtCode: 38, libvirtDomain: 10 });
const LOCKED: HostError = { ...hostError("lock-held", "no", { libvirtCode: 68 }), retryable: true };

function lineOf(ids: string[]): RedefineInput["checkpoints"] {
  return ids.map((id, i) => ({
    id,
    parentId: ids[i - 1] ?? null,
    createdAt: new Date(Date.UTC(2026, 0, 1, 0, i)).toISOString(),
    disks: [{ target: "vda" }, { target: "vdb" }],
  }));
}
const names = (count: number) => Array.from({ length: count }, (_, i) => `c${String(i).padStart(3, "0")}`);

describe("bulk redefine on a host that fails", () => {
  let host: InterferedHost;
  let pauses: number;
  const pause = async (): Promise<void> => {
    pauses += 1;
  };
  beforeEach(() => {
    host = openInterferedHost();
    pauses = 0;
  });
  afterEach(() => host.close());

  function prepare(ids: string[]): void {
    for (const target of ["vda", "vdb"]) host.sim.addBitmaps(host.vmId, target, ids);
  }
  const run = (ids: string[], mode: "strict" | "salvage" = "strict") =>
    redefine(host.steps, { vmId: host.vmId, checkpoints: lineOf(ids), mode }, pause);
  const setFailure = (failure: "timeout" | null) =>
    host.sim.changeDomain(host.vmId, (domain) => {
      domain.failure = failure;
    });
  const listed = async () => {
    const { checkpoints } = await host.steps.observe(host.vmId);
    if (!checkpoints.ok) throw new Error("not read");
    return checkpoints.value;
  };

  it("strict takes back what it defined and puts back what it replaced, last first, and names everything", async () => {
    const ids = names(120);
    prepare([...ids, "theirs"]);
    host.sim.defineAsIs(host.vmId, { id: "theirs", parentId: null, disks: [{ target: "vda", bitmap: "theirs" }] });
    host.sim.defineAsIs(host.vmId, { id: "c000", parentId: null, disks: null });
    host.sim.defineAsIs(host.vmId, { id: "c007", parentId: "c000", disks: [{ target: "vda", bitmap: "c008" }] });
    const before = await listed();
    host.interfere((_, n) => (n === 100 ? PERMANENT : null));
    const result = await run(ids);
    expect(result.failed).toEqual([{ id: "c100", error: PERMANENT }]);
    expect([result.defined, result.replaced, result.unchanged]).toEqual([[], [], []]);
    expect(result.rolledBack).toEqual(ids.slice(0, 100).reverse());
    expect(result.notTried).toEqual(ids.slice(101));
    expect(await listed()).toEqual(before);
    expect(host.made.slice(100).every((c) => c.do === "define" || (c.do === "delete" && c.metadataOnly))).toBe(true);
    host.interfere(() => null);
    const again = await run(ids);
    expect([again.defined.length, again.replaced]).toEqual([118, ["c000", "c007"]]);
  });

  it("strict takes back what it defined once another's job, which it met between two batches, has ended", async () => {
    const ids = names(70);
    prepare(ids);
    // The lock is held from the second batch on, until it was waited for three times.
    host.interfere((_, n) => (n >= 50 && pauses < 3 ? LOCKED : null));
    const result = await run(ids);
    expect(result.failed).toEqual([{ id: "c050", error: LOCKED }]);
    expect(result.rolledBack).toEqual(ids.slice(0, 50).reverse());
    expect([result.defined, await listed()]).toEqual([[], []]);
  });

  it("strict says what is still defined when even taking back fails, and does not wait for ever", async () => {
    const ids = names(10);
    prepare(ids);
    host.interfere((_, n) => (n === 6 || n > 8 ? LOCKED : null));
    const result = await run(ids);
    expect(pauses).toBe(40);
    expect(result.rolledBack).toEqual(["c005", "c004"]);
    expect(result.defined).toEqual(["c000", "c001", "c002", "c003"]);
    expect((await listed()).map(({ id }) => id)).toEqual(result.defined);
  });

  it("salvage goes on after one that cannot be defined, with its children below its parent", async () => {
    const ids = names(60);
    prepare(ids);
    host.interfere((change) => (change.id === "c030" ? PERMANENT : null));
    const result = await run(ids, "salvage");
    expect(result.failed.map(({ id }) => id)).toEqual(["c030"]);
    expect(result.defined).toEqual(ids.filter((id) => id !== "c030"));
    expect((await listed()).find(({ id }) => id === "c031")?.parentId).toBe("c029");
  });

  it("salvage stops at a lock that is held: the others would meet it too, and each is named", async () => {
    const ids = names(8);
    prepare(ids);
    host.interfere((_, n) => (n === 3 ? LOCKED : null));
    const result = await run(ids, "salvage");
    expect(result.defined).toEqual(ids.slice(0, 3));
    expect(result.failed.map(({ id, error }) => [id, error.retryable])).toEqual(ids.slice(3).map((id) => [id, true]));
    expect(host.made).toHaveLength(3);
  });

  it("keeps libvirt's words of a lock that is held when the domain cannot be read afterwards either", async () => {
    const ids = names(8);
    prepare(ids);
    const hostMessage = "cannot acquire state change lock (held by monitor=remoteDispatchQemuDomainMonitorCommand)";
    for (const mode of ["strict", "salvage"] as const) {
      host.interfere((_, n) => {
        if (n === 3) setFailure("timeout");
        return n >= 3 ? { ...LOCKED, hostMessage } : null;
      });
      const error = { code: "lock-held", hostMessage, retryable: true };
      await expect(run(ids, mode)).rejects.toMatchObject({ error });
      setFailure(null);
    }
    host.interfere(() => null);
    const { defined, unchanged } = await run(ids);
    expect([...unchanged, ...defined]).toEqual(ids);
  });

  it("reads the host after it was lost, and defines nothing twice", async () => {
    const ids = names(70);
    prepare(ids);
    host.interfere((_, n) => (n === 20 ? "lost-after" : n === 40 ? "lost-before" : null));
    const result = await run(ids);
    expect(result.defined).toEqual(ids);
    expect(host.made.map(({ id }) => id)).toEqual(ids);
  });

  it("gives up on a host that is lost again and again, and takes back", async () => {
    const ids = names(10);
    prepare(ids);
    let losses = 0;
    host.interfere((change) => {
      if (change.do !== "define" || change.id !== "c004") return null;
      losses += 1;
      return "lost-before";
    });
    const result = await run(ids);
    expect(losses).toBe(3);
    expect(result.failed.map(({ id }) => id)).toEqual(["c004"]);
    expect(await listed()).toEqual([]);
  });

  it("never goes on in another run of the domain", async () => {
    const ids = names(120);
    prepare(ids);
    host.interfere((_, n) => {
      if (n === 49) {
        host.sim.stop(host.vmId);
        host.sim.start(host.vmId);
      }
      return null;
    });
    await expect(run(ids)).rejects.toMatchObject({ code: "conflict" });
    expect(host.made.length).toBeLessThanOrEqual(50);
  });

  it("does not link a child below a listed one that stands elsewhere, which could be its own descendant", async () => {
    prepare(["a", "c"]);
    host.sim.defineAsIs(host.vmId, { id: "c", parentId: null, disks: null });
    host.sim.defineAsIs(host.vmId, { id: "b", parentId: "c", disks: [{ target: "vda", bitmap: "b" }] });
    const result = await run(["a", "b", "c"], "salvage");
    expect(result.refused.map(({ id }) => id)).toEqual(["b"]);
    const links = Object.fromEntries((await listed()).map(({ id, parentId }) => [id, parentId]));
    expect(links).toEqual({ a: null, b: "c", c: "a" });
  });

  it("whatever fails where, strict leaves the host as it was or as it was wanted, and a repetition completes it", async () => {
    const kinds = ["permanent", "lost-before", "lost-after", "locked"] as const;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...kinds), fc.nat(14), fc.nat(14), async (kind, at, listedBefore) => {
        const own = openInterferedHost();
        try {
          const ids = names(15);
          for (const target of ["vda", "vdb"]) own.sim.addBitmaps(own.vmId, target, ids);
          const call = () => redefine(own.steps, { vmId: own.vmId, checkpoints: lineOf(ids), mode: "strict" });
          if (listedBefore > 0) {
            const half = lineOf(ids).slice(0, listedBefore);
            await redefine(own.steps, { vmId: own.vmId, checkpoints: half, mode: "strict" });
          }
          const read = async () => (await own.steps.observe(own.vmId)).digest;
          const before = await read();
          own.interfere((_, n) => {
            if (n !== at) return null;
            return kind === "permanent" ? PERMANENT : kind === "locked" ? LOCKED : kind;
          });
          const first = await call();
          if (first.failed.length > 0) expect(await read()).toBe(before);
          own.interfere(() => null);
          const second = await call();
          expect(second.failed).toEqual([]);
          expect([...second.defined, ...second.unchanged].sort()).toEqual(ids);
          expect((await call()).unchanged).toEqual(ids);
        } finally {
          own.close();
        }
      }),
      { numRuns: 25 },
    );
  });
});
