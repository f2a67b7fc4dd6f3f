/** The part of the contract that changes a host: what is done, what is refused, and that nothing else is touched. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Observation } from "#chain/model.ts";
import {
  deleteBitmapsResultSchema,
  deleteCheckpointsResultSchema,
  type RedefineInput,
  redefineResultSchema,
} from "#contract/agent-operations.ts";
import { problemSchema } from "#contract/problem.ts";
import type { Answer } from "./testing/agent-client.ts";
import { bitmapsOf, checkpointsOf, observationOf, type Rig } from "./testing/rig.ts";

type Wanted = RedefineInput["checkpoints"];
const UNKNOWN_VM = "99999999-9999-4999-8999-999999999999";
const both = (bitmap: string) => ["vda", "vdb"].map((target) => ({ target, bitmap }));
const names = (count: number) => Array.from({ length: count }, (_, i) => `cp${String(i + 1).padStart(3, "0")}`);

/** A line of checkpoints over both disks. */
function lineOf(ids: string[]): Wanted {
  return ids.map((id, i) => ({
    id,
    parentId: ids[i - 1] ?? null,
    createdAt: new Date(Date.UTC(2026, 0, 1, 0, i)).toISOString(),
    disks: [{ target: "vda" }, { target: "vdb" }],
  }));
}
const linksOf = (observation: Observation) =>
  Object.fromEntries(checkpointsOf(observation).map(({ id, parentId }) => [id, parentId]));
const namesOn = (observation: Observation, target: string): string[] =>
  bitmapsOf(observation, target)
    .map(({ name }) => name)
    .sort();

export function describeOperations(rigOf: () => Rig): void {
  let vmId: string;
  const observe = async (): Promise<Observation> => observationOf(await rigOf().agent.observeOne(vmId));
  const put = (body: unknown): Promise<Answer> => rigOf().agent.put(`/v1/domains/${vmId}/checkpoints`, body);
  const redefine = async (checkpoints: Wanted, mode: "strict" | "salvage" = "strict") => {
    const { status, body } = await put({ checkpoints, mode });
    expect(status, JSON.stringify(body).slice(0, 2000)).toBe(200);
    return redefineResultSchema.parse(body);
  };
  const remove = async (ids: string[]) => {
    const { status, body } = await rigOf().agent.post(`/v1/domains/${vmId}/checkpoints/delete`, { ids });
    expect(status, JSON.stringify(body).slice(0, 2000)).toBe(200);
    return deleteCheckpointsResultSchema.parse(body);
  };
  const removeBitmaps = async (items: { disk: string; bitmap: string }[]) => {
    const { status, body } = await rigOf().agent.post(`/v1/domains/${vmId}/bitmaps/delete`, { items });
    expect(status, JSON.stringify(body).slice(0, 2000)).toBe(200);
    return deleteBitmapsResultSchema.parse(body);
  };
  /** A fresh read says the same before and after, and `work` was refused with this status. */
  const refusedUnchanged = async (status: number, work: () => Promise<Answer>) => {
    const before = (await observe()).digest;
    const answer = await work();
    expect(answer.status, JSON.stringify(answer.body).slice(0, 2000)).toBe(status);
    expect((await observe()).digest).toBe(before);
    return problemSchema.parse(answer.body);
  };

  describe("redefine of 100 checkpoints", () => {
    const ids = names(100);
    beforeAll(async () => {
      vmId = await rigOf().newVm("bulk");
      await rigOf().addBitmaps(vmId, ids);
      await rigOf().addBitmap(vmId, "vda", "theirs");
      await rigOf().defineAsIs(vmId, { id: "theirs", parentId: null, disks: [{ target: "vda", bitmap: "theirs" }] });
      await rigOf().removeBitmap(vmId, "vdb", "cp040");
    });

    it("strict with one bad bitmap defines none and names it with disk and state, as often as it is asked", async () => {
      const before = (await observe()).digest;
      for (let round = 0; round < 2; round += 1) {
        const result = await redefine(lineOf(ids));
        expect(result.refused).toEqual([{ id: "cp040", reasons: [{ disk: "vdb", state: "missing" }] }]);
        expect([result.defined, result.replaced, result.unchanged, result.failed]).toEqual([[], [], [], []]);
        expect(result.notTried).toHaveLength(99);
        expect(result.proof.digest).toBe(before);
      }
    });

    it("salvage defines the 99, links the child of the one left out to its parent, and repeats to nothing", async () => {
      const result = await redefine(lineOf(ids), "salvage");
      expect(result.refused).toEqual([{ id: "cp040", reasons: [{ disk: "vdb", state: "missing" }] }]);
      expect(result.defined).toEqual(ids.filter((id) => id !== "cp040"));
      const links = linksOf(result.proof);
      expect([links.cp001, links.cp039, links.cp041, links.cp100]).toEqual([null, "cp038", "cp039", "cp099"]);
      expect(links).not.toHaveProperty("cp040");
      for (const { id, disks } of checkpointsOf(result.proof)) {
        if (id !== "theirs") expect(disks).toEqual(both(id));
      }
      const again = await redefine(lineOf(ids), "salvage");
      expect([again.defined, again.replaced, again.unchanged.length]).toEqual([[], [], 99]);
      expect(again.proof.digest).toBe(result.proof.digest);
      expect((await observe()).digest).toBe(result.proof.digest);
    });

    it("leaves a foreign checkpoint and its bitmap as they are", async () => {
      const seen = await observe();
      expect(checkpointsOf(seen).find(({ id }) => id === "theirs")).toMatchObject({
        parentId: null,
        disks: [{ target: "vda", bitmap: "theirs" }],
      });
      expect(namesOn(seen, "vda")).toContain("theirs");
    });

    it("replaces what differs in parent, disks or bitmap names and what has no disks, and skips what is equal", async () => {
      const good = lineOf(ids.filter((id) => id !== "cp040"));
      const rig = rigOf();
      await rig.defineAsIs(vmId, { id: "cp010", parentId: "cp005", disks: both("cp010") });
      await rig.defineAsIs(vmId, { id: "cp020", parentId: "cp019", disks: null });
      await rig.defineAsIs(vmId, { id: "cp030", parentId: "cp029", disks: [{ target: "vda", bitmap: "cp030" }] });
      await rig.defineAsIs(vmId, { id: "cp050", parentId: "cp049", disks: both("cp051") });
      const result = await redefine(good);
      expect(result.replaced).toEqual(["cp010", "cp020", "cp030", "cp050"]);
      expect([result.defined, result.unchanged.length, result.failed]).toEqual([[], 95, []]);
      expect(linksOf(result.proof).cp010).toBe("cp009");
    });

    it("holds the domain: a second call at the same time is refused with 409 and who holds it", async () => {
      await rigOf().defineAsIs(vmId, { id: "cp002", parentId: null, disks: both("cp002") });
      const good = { checkpoints: lineOf(ids.filter((id) => id !== "cp040")) };
      const answers = await Promise.all([put(good), put(good)]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
      const busy = problemSchema.parse(answers.find(({ status }) => status === 409)?.body);
      expect(busy).toMatchObject({ code: "vm_busy", retryable: true, subject: vmId });
      expect(busy.detail).toContain("redefine");
    });

    it("never works on another run than the one that is meant", async () => {
      const problem = await refusedUnchanged(409, () =>
        put({ checkpoints: lineOf(ids), expect: { runtimeId: "another" } }),
      );
      expect(problem.code).toBe("conflict");
      await refusedUnchanged(409, () => put({ checkpoints: lineOf(ids), expect: { runtimeId: null } }));
      const { runtimeId } = await observe();
      const { status } = await put({ checkpoints: [], expect: { runtimeId } });
      expect(status).toBe(200);
    });

    it("refuses while a job is on the domain", async () => {
      const end = await rigOf().holdJob(vmId);
      try {
        const problem = await refusedUnchanged(409, () => put({ checkpoints: lineOf(ids) }));
        expect([problem.code, problem.retryable]).toEqual(["vm_busy", true]);
        for (const [path, body] of [
          ["checkpoints/delete", { ids: ["cp001"] }],
          ["bitmaps/delete", { items: [{ disk: "vda", bitmap: "cp001" }] }],
        ] as const) {
          await refusedUnchanged(409, () => rigOf().agent.post(`/v1/domains/${vmId}/${path}`, body));
        }
      } finally {
        await end();
      }
    });

    it("answers 404 for a domain that the host does not know", async () => {
      const base = `/v1/domains/${UNKNOWN_VM}`;
      const answers = [
        await rigOf().agent.put(`${base}/checkpoints`, { checkpoints: [] }),
        await rigOf().agent.post(`${base}/checkpoints/delete`, { ids: ["a"] }),
        await rigOf().agent.post(`${base}/bitmaps/delete`, { items: [{ disk: "vda", bitmap: "a" }] }),
      ];
      expect(answers.map(({ status, body }) => [status, body.code])).toEqual(Array(3).fill([404, "not_found"]));
    });
  });

  describe("deletion", () => {
    beforeAll(async () => {
      vmId = await rigOf().newVm("leaves");
      await rigOf().addBitmaps(vmId, ["a", "b", "c", "d", "e", "f", "foreign"]);
      await redefine(lineOf(["a", "b", "c", "d", "e", "f"]));
      await rigOf().defineAsIs(vmId, { id: "foreign", parentId: "c", disks: both("foreign") });
    });

    it("takes a checkpoint out of the middle with its bitmaps and links its children to its parent", async () => {
      const { results, proof } = await remove(["b", "not-there"]);
      expect(results).toEqual([
        { id: "b", outcome: "deleted", disks: ["vda", "vdb"], error: null },
        { id: "not-there", outcome: "absent", disks: [], error: null },
      ]);
      expect(linksOf(proof)).toEqual({ a: null, c: "a", d: "c", e: "d", f: "e", foreign: "c" });
      expect(namesOn(proof, "vda")).toEqual(["a", "c", "d", "e", "f", "foreign"]);
      expect((await remove(["b"])).results[0]?.outcome).toBe("absent");
    });

    it("deletes what is left where a bitmap is missing on one disk, and the metadata where it is on all", async () => {
      await rigOf().removeBitmap(vmId, "vda", "e");
      for (const target of ["vda", "vdb"]) await rigOf().removeBitmap(vmId, target, "f");
      const { results, proof } = await remove(["e", "f"]);
      expect(results).toEqual([
        { id: "e", outcome: "deleted", disks: ["vdb"], error: null },
        { id: "f", outcome: "metadata-only", disks: [], error: null },
      ]);
      expect(namesOn(proof, "vdb")).toEqual(["a", "c", "d", "foreign"]);
      expect(linksOf(proof)).toEqual({ a: null, c: "a", d: "c", foreign: "c" });
    });

    it("takes the bitmaps of a definition without disks along, and not those that a wrong one names", async () => {
      await rigOf().defineAsIs(vmId, { id: "d", parentId: "c", disks: null });
      expect((await remove(["d"])).results[0]).toMatchObject({ outcome: "deleted", disks: ["vda", "vdb"] });
      await rigOf().defineAsIs(vmId, { id: "c", parentId: "a", disks: both("a") });
      const { results, proof } = await remove(["c"]);
      expect(results[0]).toMatchObject({ outcome: "deleted", disks: ["vda", "vdb"] });
      expect(namesOn(proof, "vda")).toEqual(["a", "foreign"]);
      expect(linksOf(proof)).toEqual({ a: null, foreign: "a" });
    });

    it("touches no bitmap of a name that libvirt does not list", async () => {
      await rigOf().addBitmap(vmId, "vda", "stray");
      expect((await remove(["stray"])).results[0]?.outcome).toBe("absent");
      expect(namesOn(await observe(), "vda")).toContain("stray");
    });

    it("removes bitmaps of any name from a running domain, one disk or two at once, and no other", async () => {
      const odd = ["a b", "-dash", `<x y='1'>&"`, "é/ü", "n".repeat(500)];
      for (const bitmap of odd) await rigOf().addBitmap(vmId, "vdb", bitmap);
      const items = [
        { disk: "vda", bitmap: "stray" },
        ...odd.map((bitmap) => ({ disk: "vdb", bitmap })),
        { disk: "vda", bitmap: "never" },
      ];
      const { results, proof } = await removeBitmaps(items);
      expect(results.map(({ outcome }) => outcome)).toEqual([...Array(6).fill("deleted"), "absent"]);
      expect([namesOn(proof, "vda"), namesOn(proof, "vdb")]).toEqual([
        ["a", "foreign"],
        ["a", "foreign"],
      ]);
      expect(linksOf(proof)).toEqual({ a: null, foreign: "a" });
      expect((await removeBitmaps(items)).results.every(({ outcome }) => outcome === "absent")).toBe(true);
    });

    it("removes, deletes and redefines on a stopped domain, in its images and in libvirt's list", async () => {
      const rig = rigOf();
      await rig.stop(vmId);
      await rig.addBitmap(vmId, "vda", "a b");
      await rig.addBitmap(vmId, "vdb", "-cold");
      for (const target of ["vda", "vdb"]) await rig.addBitmap(vmId, target, "g");
      const defined = await redefine(lineOf(["a", "g"]));
      expect([defined.defined, defined.unchanged, defined.proof.source]).toEqual([["g"], ["a"], "image"]);
      const removed = await removeBitmaps([
        { disk: "vda", bitmap: "a b" },
        { disk: "vdb", bitmap: "-cold" },
        { disk: "vdb", bitmap: "a b" },
      ]);
      expect(removed.results.map(({ outcome }) => outcome)).toEqual(["deleted", "deleted", "absent"]);
      const { results, proof } = await remove(["a"]);
      expect(results[0]).toMatchObject({ outcome: "deleted", disks: ["vda", "vdb"] });
      expect(linksOf(proof)).toEqual({ foreign: null, g: null });
      expect(namesOn(proof, "vda")).toEqual(["foreign", "g"]);
      const { status } = await rig.agent.post(`/v1/domains/${vmId}/checkpoints/delete`, {
        ids: ["g"],
        expect: { runtimeId: "a run that is over" },
      });
      expect(status).toBe(409);
      await rig.start(vmId);
      expect(namesOn(await observe(), "vdb")).toEqual(["foreign", "g"]);
    });
  });

  describe("a changing request that is not valid", () => {
    const [a, b, c] = lineOf(["a", "b", "c"]);
    if (a === undefined || b === undefined || c === undefined) throw new Error("no line");
    const fieldsOf = (problem: { errors?: { field: string }[] | undefined }) => problem.errors?.map((e) => e.field);
    beforeAll(async () => {
      vmId = await rigOf().newVm("bad-input");
      await rigOf().addBitmaps(vmId, ["a", "b", "c"]);
      await redefine(lineOf(["a"]));
    });

    it.each<[string, Wanted, string[]]>([
      ["an unknown parent", [a, { ...b, parentId: "x" }], ["checkpoints[1].parentId"]],
      ["a parent after its child", [b, a], ["checkpoints[0].parentId"]],
      [
        "a circle",
        [
          { ...a, parentId: "c" },
          { ...b, parentId: "a" },
          { ...c, parentId: "b" },
        ],
        ["checkpoints[0].parentId", "checkpoints[1].parentId", "checkpoints[2].parentId"],
      ],
      ["its own parent", [{ ...a, parentId: "a" }], ["checkpoints[0].parentId"]],
      ["a name twice", [a, b, { ...b }], ["checkpoints[2].id"]],
      ["a disk twice", [{ ...a, disks: [{ target: "vda" }, { target: "vda" }] }], ["checkpoints[0].disks[1].target"]],
      [
        "disks that the domain lacks",
        [
          { ...a, disks: [{ target: "vdx" }] },
          { ...b, disks: [{ target: "vda" }, { target: "vdy" }] },
        ],
        ["checkpoints[0].disks[0].target", "checkpoints[1].disks[1].target"],
      ],
      ["a name of 248 characters", [{ ...a, id: "n".repeat(248) }], ["checkpoints[0].id"]],
      ["a name with a space", [{ ...a, id: "a b" }], ["checkpoints[0].id"]],
      [
        "XML in a name and in a parent",
        [{ ...a, id: "<a/>", parentId: "</name>" }],
        ["checkpoints[0].id", "checkpoints[0].parentId"],
      ],
      ["XML in a disk", [{ ...a, disks: [{ target: "vda'/><disk" }] }], ["checkpoints[0].disks[0].target"]],
      ["no disks", [{ ...a, disks: [] }], ["checkpoints[0].disks"]],
      ["a time before 1970", [{ ...a, createdAt: "1960-01-01T00:00:00Z" }], ["checkpoints[0].createdAt"]],
      ["the agent's own name", [{ ...a, id: "driftline.temporary" }], ["checkpoints[0].id"]],
    ])("%s is refused with every offence, and nothing changes", async (_, checkpoints, fields) => {
      for (const mode of ["strict", "salvage"] as const) {
        // Salvage leaves a disk that is gone out, with the reason.
        if (mode === "salvage" && fields.some((f) => f.includes("disks[1]")) && checkpoints.length === 2) continue;
        const problem = await refusedUnchanged(422, () => put({ checkpoints, mode }));
        expect(fieldsOf(problem)).toEqual(fields);
      }
    });

    it("what is wrong with a field, with the list and with the domain's disks is told at once, and nothing changes", async () => {
      const checkpoints = [
        { ...b, disks: [{ target: "vdq" }] },
        { ...a, id: ".a" },
        { ...a, parentId: 7 },
        "nothing",
        { ...c, disks: [{ target: "VDA" }, { target: "vda" }, { target: "vda" }] },
      ];
      const problem = await refusedUnchanged(422, () => put({ checkpoints, mode: "strict", extra: 1 }));
      expect(fieldsOf(problem)?.sort()).toEqual([
        "checkpoints[0].disks[0].target",
        "checkpoints[0].parentId",
        "checkpoints[1].id",
        "checkpoints[2].parentId",
        "checkpoints[3]",
        "checkpoints[4].disks[0].target",
        "checkpoints[4].disks[2].target",
        "extra",
      ]);
      const list = await refusedUnchanged(422, () => put({ checkpoints: [b, { ...a, disks: [{ target: "vdq" }] }] }));
      expect(fieldsOf(list)).toEqual(["checkpoints[0].parentId", "checkpoints[1].disks[0].target"]);
    });

    it("20,000 entries are refused, and nothing changes", async () => {
      const many = lineOf(Array.from({ length: 20_000 }, (_, i) => `n${i}`));
      const problem = await refusedUnchanged(422, () => put({ checkpoints: many }));
      expect(fieldsOf(problem)).toEqual(["checkpoints"]);
    });

    it("salvage leaves a checkpoint out whose disk is gone, and says so", async () => {
      const result = await redefine([a, { ...b, disks: [{ target: "vda" }, { target: "vdz" }] }], "salvage");
      expect(result.refused).toEqual([{ id: "b", reasons: [{ disk: "vdz", state: "disk-gone" }] }]);
    });

    it("deletions with a name twice, an unknown disk or an impossible name are refused, and nothing changes", async () => {
      const post = (path: string, body: unknown) => () => rigOf().agent.post(`/v1/domains/${vmId}/${path}`, body);
      const twice = await refusedUnchanged(422, post("checkpoints/delete", { ids: ["a", "b", "a"] }));
      expect(fieldsOf(twice)).toEqual(["ids[2]"]);
      const items = [
        { disk: "vda", bitmap: "a" },
        { disk: "vdz", bitmap: "a" },
        { disk: "vda", bitmap: "a\nb" },
      ];
      const bad = await refusedUnchanged(422, post("bitmaps/delete", { items }));
      expect(fieldsOf(bad)).toEqual(["items[1].disk", "items[2].bitmap"]);
      const same = await refusedUnchanged(422, post("bitmaps/delete", { items: [items[0], items[0]] }));
      expect(fieldsOf(same)).toEqual(["items[1]"]);
    });
  });
}
