import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HostError } from "#contract/agent-operations.ts";
import { hostError } from "../host-error.ts";
import { type InterferedHost, openInterferedHost } from "../testing/interfered.ts";
import { deleteBitmaps } from "./delete-bitmaps.ts";
import { deleteCheckpoints } from "./delete-checkpoints.ts";
import { TEMPORARY_CHECKPOINT } from "./host-steps.ts";

const PERMANENT = hostError("internal", "no", { libvirtCode: 1, libvirtDomain: 10 });
const LOCKED: HostError = { ...hostError("lock-held", "no", { libvirtCode: 68 }), retryable: true };

describe("deletions on a host that fails", () => {
  let host: InterferedHost;
  const ids = ["a", "b", "c", "d", "e"];
  beforeEach(() => {
    host = openInterferedHost();
    for (const id of ids) host.sim.checkpoint(host.vmId, id);
  });
  afterEach(() => host.close());
  const tree = async () => {
    const { checkpoints } = await host.steps.observe(host.vmId);
    if (!checkpoints.ok) throw new Error("not read");
    return Object.fromEntries(checkpoints.value.map(({ id, parentId }) => [id, parentId]));
  };
  const remove = (...which: string[]) => deleteCheckpoints(host.steps, { vmId: host.vmId, ids: which });

  it("go from leaf to root whatever order the names come in", async () => {
    host.interfere(() => null);
    await remove("b", "d", "c");
    expect(host.made.map(({ id }) => id)).toEqual(["d", "c", "b"]);
    expect(await tree()).toEqual({ a: null, e: "a" });
  });

  it("read the tree again after one that failed, put its children back below it, and go on with the others", async () => {
    host.interfere((change) => {
      if (change.do !== "delete" || change.id !== "c") return null;
      // What libvirt does: it fails, and the children are linked elsewhere already.
      host.sim.changeDomain(host.vmId, (domain) => {
        for (const checkpoint of domain.checkpoints) if (checkpoint.parentId === "c") checkpoint.parentId = "b";
      });
      return PERMANENT;
    });
    const { results } = await remove("c", "a");
    expect(results.map(({ id, outcome, error }) => [id, outcome, error])).toEqual([
      ["c", "failed", PERMANENT],
      ["a", "deleted", null],
    ]);
    expect(await tree()).toEqual({ b: null, c: "b", d: "c", e: "d" });
  });

  it("stop at a lock that is held, and each that was not tried is named retryable", async () => {
    host.interfere((_, n) => (n === 1 ? LOCKED : null));
    const { results } = await remove("c", "d", "e");
    expect(results.map(({ id, outcome, error }) => [id, outcome, error?.retryable])).toEqual([
      ["c", "failed", true],
      ["d", "failed", true],
      ["e", "deleted", undefined],
    ]);
  });

  it("read the host after it was lost: what went is deleted with its disks, and what did not is deleted now", async () => {
    host.interfere((_, n) => (n === 1 ? "lost-after" : n === 2 ? "lost-before" : null));
    const { results } = await remove("c", "d", "e");
    expect(results.map(({ outcome, disks }) => [outcome, disks])).toEqual(Array(3).fill(["deleted", ["vda", "vdb"]]));
    expect(await tree()).toEqual({ a: null, b: "a" });
  });

  it.each(["qmp-failed", "timeout", "image-locked", "permission-denied", "qmp-forbidden"] as const)(
    "leave metadata that does not name a disk whose bitmaps were not read (%s), and say why",
    async (failure) => {
      for (const disks of [[], [{ target: "vda", bitmap: "e" }]]) {
        host.sim.defineAsIs(host.vmId, { id: "e", parentId: "d", disks });
        host.sim.changeDisk(host.vmId, "vdb", (disk) => {
          disk.failure = failure;
        });
        const { results } = await remove("e");
        expect(results).toMatchObject([{ id: "e", outcome: "failed", disks: [], error: { code: failure } }]);
        expect(await tree()).toMatchObject({ e: "d" });
        host.sim.changeDisk(host.vmId, "vdb", (disk) => {
          disk.failure = null;
        });
        expect(host.made).toEqual([]);
      }
      const { results } = await remove("e");
      expect(results).toMatchObject([{ outcome: "deleted", disks: ["vda", "vdb"] }]);
    },
  );

  it.each(["unsupported-source", "unreadable"] as const)(
    "go on where a disk that the definition does not name can hold no bitmap (%s)",
    async (failure) => {
      host.sim.defineAsIs(host.vmId, { id: "e", parentId: "d", disks: [{ target: "vda", bitmap: "e" }] });
      host.sim.changeDisk(host.vmId, "vdb", (disk) => {
        disk.failure = failure;
      });
      const { results } = await remove("e");
      expect(results).toMatchObject([{ outcome: "deleted", disks: ["vda"], error: null }]);
    },
  );

  it("of bitmaps find the one that cannot be deleted among those of other disks, and delete the others", async () => {
    for (const target of ["vda", "vdb"]) host.sim.addBitmaps(host.vmId, target, ["x", "y"]);
    host.interfere((change) => {
      if (change.do !== "delete" || change.id !== TEMPORARY_CHECKPOINT) return null;
      const made = host.made.findLast((c) => c.do === "define");
      const covers = made?.do === "define" && made.disks?.some((d) => d.target === "vdb" && d.bitmap === "x");
      return covers ? PERMANENT : null;
    });
    const items = ["x", "y"].flatMap((bitmap) => ["vda", "vdb"].map((disk) => ({ disk, bitmap })));
    const { results } = await deleteBitmaps(host.steps, { vmId: host.vmId, items });
    expect(results.map(({ disk, bitmap, outcome }) => `${disk} ${bitmap} ${outcome}`)).toEqual([
      "vda x deleted",
      "vdb x failed",
      "vda y deleted",
      "vdb y deleted",
    ]);
  });
});
