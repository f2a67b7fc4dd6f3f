/** `node lib/bench/find-drift.bench.ts`: what it costs to judge one VM, from small to absurd. */
import { digestInput } from "#chain/digest.ts";
import { findDrift } from "#chain/findings/index.ts";
import type { DriftInput } from "#chain/model.ts";
import { orderCheckpoints } from "#chain/order.ts";
import { healthyLine } from "#chain/testing/healthy.ts";
import { nextBackup } from "#chain/verdict.ts";
import { benchRow, printTable } from "./table.ts";

const targets = (count: number) => Array.from({ length: count }, (_, at) => `vd${String.fromCharCode(97 + at)}`);

function lost(input: DriftInput): DriftInput {
  return { ...input, observation: { ...input.observation, checkpoints: { ok: true, value: [] } } };
}

const sizes: [number, number][] = [
  [10, 1],
  [200, 2],
  [500, 16],
  [1000, 16],
  [2000, 16],
];
const rows = sizes.flatMap(([count, disks]) => {
  const input = healthyLine(count, targets(disks));
  const name = `${count} checkpoints × ${disks} disks`;
  const broken = lost(input);
  const findings = findDrift(broken);
  return [
    benchRow(`${name}: findDrift, all agree`, () => findDrift(input)),
    benchRow(`${name}: findDrift, libvirt lost its list (${findings.length} findings)`, () => findDrift(broken)),
    benchRow(`${name}: nextBackup`, () => nextBackup({ ...input, findings: [] })),
    benchRow(`${name}: digestInput`, () => digestInput(input.observation)),
  ];
});
const deep = healthyLine(20_000).record.checkpoints.toReversed();
rows.push(benchRow("20,000 checkpoints in a line: orderCheckpoints", () => orderCheckpoints(deep)));
printTable(rows);
