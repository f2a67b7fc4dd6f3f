import { expect, test } from "vitest";
import type { Observation } from "#chain/model.ts";
import { healthyLine } from "#chain/testing/healthy.ts";
import { judgeProofs, type MoveProof } from "./proofs.ts";

const HERE = "here";
const proof: MoveProof = { at: "2026-01-01T12:00:00.000Z", hostId: HERE, runtimeId: "run-1" };
const after = (ms: number) => new Date(Date.parse(proof.at) + ms).toISOString();
const live: Observation = { ...healthyLine(1).observation, runtimeId: "run-1", observedAt: after(1_000) };
const stopped: Observation = { ...healthyLine(1, ["vda"], "shut-off").observation, observedAt: after(1_000) };
const migrating: Observation = {
  ...live,
  observedAt: after(600_000),
  job: { ok: true, value: { operation: "migration", elapsedMs: 1, doneBytes: null, totalBytes: null } },
};

const NOTHING = { proven: [], settled: [], begun: [], ended: [] };
const EXPLAINED = { ...NOTHING, proven: ["vda"] };
const PROVEN = { ...EXPLAINED, settled: ["vda"] };
const BEGUN = { ...PROVEN, begun: ["d"] };
const ENDED = { ...NOTHING, ended: ["d"] };

test.each<[string, Partial<MoveProof>, Observation, string, object]>([
  ["the run in which it was seen", {}, live, HERE, PROVEN],
  ["the first read of the run to which a VM came", { runtimeId: null }, live, HERE, BEGUN],
  ["another run: the VM has stopped unseen", {}, { ...live, runtimeId: "run-2" }, HERE, ENDED],
  ["a VM that is stopped", {}, stopped, HERE, ENDED],
  ["a VM that came and was stopped before it was read", { runtimeId: null }, stopped, HERE, ENDED],
  ["a VM that the host does not know any more", {}, { ...stopped, power: "absent" }, HERE, ENDED],
  ["a read from before it", {}, { ...stopped, observedAt: after(-1) }, HERE, NOTHING],
  ["a read of that run from before the word of it", {}, { ...live, observedAt: after(-1) }, HERE, EXPLAINED],
  ["a read from before the VM came", { runtimeId: null }, { ...live, observedAt: after(-1) }, HERE, NOTHING],
  ["a read that could not tell", {}, { ...stopped, power: "unknown" }, HERE, NOTHING],
  ["the host that it left, which shows it stopped", {}, stopped, "there", NOTHING],
  ["the host that it leaves, which still shows it", {}, live, "there", NOTHING],
  ["the host that it goes on leaving", {}, migrating, "there", NOTHING],
  ["a host that has run it for long since", {}, { ...live, observedAt: after(600_000) }, "there", ENDED],
  ["what an older version noted", { hostId: null, runtimeId: null }, live, HERE, BEGUN],
])("a move that was seen holds for its run of the VM: %s", (_, more, observation, hostId, judged) => {
  const disks = [
    { id: "d", target: "vda", moveProof: { ...proof, ...more } },
    { id: "e", target: "vdb", moveProof: null },
  ];
  expect(judgeProofs(disks, observation, hostId)).toEqual(judged);
});
