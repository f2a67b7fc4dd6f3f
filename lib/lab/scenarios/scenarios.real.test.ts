import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Lab, openLab } from "../lab.ts";
import { EXTRAS } from "../testing/extras.ts";
import { difference, type Inodes, inodesOf, type Reality, readReality } from "../testing/reality.ts";
import { traceOf } from "../testing/traces.ts";
import type { LabVm } from "../vm.ts";
import { applyScenario, possibleScenarios, prepareScenario, SCENARIOS, undoScenario } from "./index.ts";

let lab: Lab;
let vm: LabVm;
let inodes: Inodes;
let fresh: Reality;

beforeAll(async () => {
  lab = await openLab({ hosts: ["alpha", "beta"] });
  ({ vm } = await prepareScenario(lab, SCENARIOS[0] ?? expect.fail(), { name: "vm" }));
  inodes = inodesOf(vm);
  fresh = await readReality(lab, vm, inodes);
});
afterAll(() => lab?.close());

test("a prepared VM shows in libvirt, QEMU and its images exactly the record that is given", () => {
  expect(fresh).toEqual({
    lines: [
      "bitmap vda.qcow2 cp1",
      "bitmap vda.qcow2 cp2",
      "bitmap vda.qcow2 cp3",
      "bitmap vda.qcow2 cp4",
      "bitmap vdb.qcow2 cp1",
      "bitmap vdb.qcow2 cp2",
      "bitmap vdb.qcow2 cp4",
      "checkpoint cp1 under - on vda vdb",
      "checkpoint cp2 under cp1 on vda vdb",
      "checkpoint cp3 under cp2 on vda",
      "checkpoint cp4 under cp3 on vda vdb",
      "disk vda vda.qcow2",
      "disk vdb vdb.qcow2",
      "power running on alpha",
    ],
    counts: {
      "vda.qcow2 cp1": 2_490_368,
      "vda.qcow2 cp2": 1_703_936,
      "vda.qcow2 cp3": 1_179_648,
      "vda.qcow2 cp4": 917_504,
      "vdb.qcow2 cp1": 524_288,
      "vdb.qcow2 cp2": 262_144,
      "vdb.qcow2 cp4": 131_072,
    },
  });
});

/** Counts that a scenario changes on purpose; all others must stay where they are. */
const COUNTS: Record<string, Record<string, number>> = {
  "older-image-put-back": {
    "vda.qcow2 cp1": 1_966_080,
    "vda.qcow2 cp2": 917_504,
    "vda.qcow2 cp3": 393_216,
    "vda.qcow2 cp4": 131_072,
  },
  "qemu-killed-restarted": {
    "vda.qcow2 cp1": 0,
    "vda.qcow2 cp2": 0,
    "vda.qcow2 cp3": 0,
    "vdb.qcow2 cp1": 0,
    "vdb.qcow2 cp2": 0,
  },
};

describe.each([...SCENARIOS])("$name", (scenario) => {
  test(`${scenario.title}: that and nothing else, and undo takes it away`, async () => {
    if (!possibleScenarios(lab).includes(scenario))
      return expect(prepareScenario(lab, scenario, { vm })).rejects.toThrow(/not possible/);
    const prepared = await prepareScenario(lab, scenario, { vm });
    const before = await readReality(lab, vm, inodes);
    expect(before.lines).toEqual(fresh.lines);
    expect(prepared.record.map(({ id, parentId, disks }) => `${id} under ${parentId} on ${disks.join(" ")}`)).toEqual([
      "cp1 under null on vda vdb",
      "cp2 under cp1 on vda vdb",
      "cp3 under cp2 on vda",
      "cp4 under cp3 on vda vdb",
    ]);
    await applyScenario(lab, scenario, vm);
    const trace = traceOf(scenario.name);
    if (trace !== null) {
      const after = await readReality(lab, vm, inodes);
      expect(difference(before, after)).toEqual(trace);
      const changed = Object.keys(before.counts).filter(
        (key) => after.counts[key] !== undefined && after.counts[key] !== before.counts[key],
      );
      expect(Object.fromEntries(changed.map((key) => [key, after.counts[key]]))).toEqual(COUNTS[scenario.name] ?? {});
    }
    await EXTRAS[scenario.name]?.(lab, vm);
    await undoScenario(lab, vm);
    expect(await readReality(lab, vm, inodes)).toEqual(fresh);
    for (const host of lab.hosts)
      expect((await host.virsh(["list", "--all", "--uuid"])).includes(vm.id)).toBe(host.name === "alpha");
  });
});

test("a second drift is refused on a VM that still carries one", async () => {
  const [first, second] = ["checkpoint-dropped", "parent-differs"].map(
    (name) => SCENARIOS.find((entry) => entry.name === name) ?? expect.fail(),
  );
  if (first === undefined || second === undefined) expect.fail();
  await applyScenario(lab, first, vm);
  await expect(applyScenario(lab, second, vm)).rejects.toThrow(/carries checkpoint-dropped/);
  await undoScenario(lab, vm);
  expect(await readReality(lab, vm, inodes)).toEqual(fresh);
});

test("undo takes away a drift that was broken off half-way", async () => {
  const [first] = SCENARIOS;
  if (first === undefined) expect.fail();
  const apply = async () => {
    await vm.stop();
    throw new Error("broken off");
  };
  await expect(applyScenario(lab, { ...first, apply }, vm)).rejects.toThrow("broken off");
  await undoScenario(lab, vm);
  expect(await readReality(lab, vm, inodes)).toEqual(fresh);
});
