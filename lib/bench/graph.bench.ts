/** `node lib/bench/graph.bench.ts`: lanes, folds and layout of large chains. Promised: lanes of 2,000 within 50 ms. */
import { healthyInput, healthyLine, lineParents } from "#chain/testing/healthy.ts";
import { foldRuns } from "#graph/fold.ts";
import { assignLanes } from "#graph/lanes.ts";
import { layoutGraph } from "#graph/layout.ts";
import { bitmapMatrix } from "#graph/matrix.ts";
import { graphNodes } from "#graph/nodes.ts";
import { graphChain } from "#graph/testing/chain.ts";
import { benchRow, printTable } from "./table.ts";

/** A side branch of three at every tenth checkpoint. */
function forked(count: number) {
  const parents = lineParents(count).map((parent, at) =>
    at % 10 >= 7 && at > 10 ? (at % 10 === 7 ? at - 4 : at - 1) : parent,
  );
  return healthyInput({ parents, targets: ["vda", "vdb"] });
}

const targets16 = Array.from({ length: 16 }, (_, at) => `vd${String.fromCharCode(97 + at)}`);
const rows = [
  { name: "2,000 in a line", chain: graphChain(healthyLine(2000, ["vda", "vdb"])), limit: 50 },
  { name: "2,000 with forks", chain: graphChain(forked(2000)), limit: 50 },
  { name: "16,384 in a line", chain: graphChain(healthyLine(16_384)), limit: null },
].flatMap(({ name, chain, limit }) => {
  const nodes = graphNodes(chain);
  const items = foldRuns(nodes, { minRun: Number.POSITIVE_INFINITY });
  return [
    benchRow(`${name}: lanes`, () => assignLanes(items), limit),
    benchRow(`${name}: nodes, fold, lanes, layout`, () => layoutGraph(foldRuns(graphNodes(chain))), null),
  ];
});
const wide = graphChain(healthyLine(2000, targets16));
rows.push(benchRow("2,000 × 16: matrix", () => bitmapMatrix(wide)));
printTable(rows);
