import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { healthyInput, healthyLine, lineParents } from "#chain/testing/healthy.ts";
import { foldRuns } from "./fold.ts";
import { graphNodes } from "./nodes.ts";
import { graphChain } from "./testing/chain.ts";

const nodesOf = (input: Parameters<typeof graphChain>[0]) => graphNodes(graphChain(input));
const shown = (items: ReturnType<typeof foldRuns>) =>
  items.map((item) => (item.type === "fold" ? `${item.count} from ${item.first.id}` : item.id));

describe("foldRuns", () => {
  test("a long healthy chain is root, its context, one fold, and the newest with its context", () => {
    const items = foldRuns(nodesOf(healthyLine(200)));
    expect(shown(items)).toEqual(["cp0", "cp1", "196 from cp2", "cp198", "cp199"]);
    expect(items.map(({ parentId }) => parentId)).toEqual([null, "cp0", "cp1", "fold:cp2..cp197", "cp198"]);
  });

  test("a finding and what stands beside it never fold", () => {
    const input = healthyLine(40);
    if (input.observation.checkpoints.ok) input.observation.checkpoints.value.splice(20, 1);
    const items = shown(foldRuns(nodesOf(input)));
    expect(items).toEqual(["cp0", "cp1", "17 from cp2", "cp19", "cp20", "cp21", "16 from cp22", "cp38", "cp39"]);
  });

  test("the checkpoints of a replaced disk fold as differing, never as agreeing", () => {
    const chain = graphChain(healthyLine(200));
    const subject = { checkpointId: null, disk: "vda", bitmap: null };
    chain.findings = [{ id: "f", kind: "disk.replaced", severity: "loss", subject, reason: null, acknowledged: false }];
    const folds = foldRuns(graphNodes(chain)).filter((item) => item.type === "fold");
    expect(folds.map(({ count, match }) => [count, match])).toEqual([[196, "differs"]]);
  });

  test("the selection and what stands beside it never fold, and an expanded fold stays open", () => {
    const nodes = nodesOf(healthyLine(30));
    expect(shown(foldRuns(nodes, { selected: "cp10" }))).toEqual([
      "cp0",
      "cp1",
      "7 from cp2",
      "cp9",
      "cp10",
      "cp11",
      "16 from cp12",
      "cp28",
      "cp29",
    ]);
    expect(foldRuns(nodes, { expanded: new Set(["fold:cp2..cp27"]) })).toHaveLength(30);
  });

  test("a fork never folds", () => {
    const input = healthyInput({ parents: [...lineParents(20), 9], targets: ["vda"] });
    expect(shown(foldRuns(nodesOf(input)))).toContain("cp9");
  });

  test("what was not read folds apart from what agrees", () => {
    const input = healthyInput({
      parents: lineParents(30),
      targets: ["vda", "vdb"],
      covers: (cp, disk) => disk === "vda" || cp >= 15,
    });
    const error = { code: "timeout", message: "", hostMessage: null, retryable: true } as const;
    for (const disk of input.observation.disks) if (disk.target === "vdb") disk.layers = { ok: false, error };
    const folds = foldRuns(nodesOf(input)).flatMap((item) => (item.type === "fold" ? [[item.match, item.count]] : []));
    expect(folds).toEqual([
      ["both", 13],
      ["unknown", 13],
    ]);
  });

  test("loses no checkpoint, doubles none and keeps every parent above its child", () => {
    const tree = fc
      .array(fc.nat(), { minLength: 1, maxLength: 60 })
      .map((picks) => picks.map((pick, index) => (index === 0 ? null : pick % 4 === 0 ? pick % index : index - 1)));
    fc.assert(
      fc.property(tree, fc.nat(60), (parents, selected) => {
        const nodes = nodesOf(healthyInput({ parents, targets: ["vda"] }));
        const items = foldRuns(nodes, { selected: `cp${selected}` });
        const ids = items.flatMap((item) => (item.type === "fold" ? item.ids : [item.id]));
        expect([...ids].sort()).toEqual(nodes.map(({ id }) => id).sort());
        const above = new Set<string>();
        for (const item of items) {
          if (item.parentId !== null) expect(above.has(item.parentId)).toBe(true);
          above.add(item.id);
        }
      }),
    );
  });
});
