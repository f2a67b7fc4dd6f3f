import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Lab, openLab } from "../lab.ts";
import { EXTRAS } from "../testing/extras.ts";
import { difference, type Inodes, inodesOf, type Reality, readReality } from "../testing/reality.ts";
import { traceOf } from "../testing/traces.ts";
import type { LabVm } from "../vm.ts";
import { applyScenario, possibleScenarios, prepareScenario, SCENARIOS, type Scenario, undoScenario } from "./index.ts";

/** A VM that stands ready, and what it looks like when nothing is wrong with it. */
type Seat = { vm: LabVm; inodes: Inodes; fresh: Reality };

let lab: Lab;
const seats: Seat[] = [];
const ANY = SCENARIOS[0] ?? expect.fail();

beforeAll(async () => {
  lab = await openLab({ hosts: ["alpha", "beta"] });
});
afterAll(() => lab?.close());

/** Tests that run side by side each have a VM of their own, and use it again one after the other. */
async function withSeat(use: (seat: Seat) => Promise<void>): Promise<void> {
  const seat = seats.pop() ?? (await newSeat());
  await use(seat);
  seats.push(seat);
}

let made = 0;
async function newSeat(): Promise<Seat> {
  made += 1;
  const { vm } = await prepareScenario(lab, ANY, { name: `vm${made}` });
  const inodes = inodesOf(vm);
  return { vm, inodes, fresh: await readReality(lab, vm, inodes) };
}

test("a prepared VM shows in libvirt, QEMU and its images exactly the record that is given", () =>
  withSeat(async ({ fresh }) => {
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
  }));

/** Counts that a scenario changes on purpose; all others must stay where they are. */
const COUNTS: Record<string, Record<string, number>> = {
  "bitmap-made-anew": { "vda.qcow2 cp2": 0 },
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

/** Restarts a host's daemon, which would disturb whatever else runs on it, or stops a process that others wait for. */
const DISTURBING = new Set(["renamed", "qemu-hung"]);

async function prove(scenario: Scenario, { vm, inodes, fresh }: Seat): Promise<void> {
  if (!possibleScenarios(lab).includes(scenario)) {
    await expect(prepareScenario(lab, scenario, { vm })).rejects.toThrow(/not possible/);
    return;
  }
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
}

const title = ({ name, title: words }: Scenario) => `${name}: ${words}: that and nothing else, and undo takes it away`;

describe("on a host of its own", () => {
  for (const scenario of SCENARIOS.filter(({ name }) => DISTURBING.has(name)))
    test(title(scenario), () => withSeat((seat) => prove(scenario, seat)));
});

describe.concurrent("side by side", () => {
  for (const scenario of SCENARIOS.filter(({ name }) => !DISTURBING.has(name)))
    test(title(scenario), () => withSeat((seat) => prove(scenario, seat)));
});

test("a second drift is refused on a VM that still carries one", () =>
  withSeat(async ({ vm, inodes, fresh }) => {
    const [first, second] = ["checkpoint-dropped", "parent-differs"].map(
      (name) => SCENARIOS.find((entry) => entry.name === name) ?? expect.fail(),
    );
    if (first === undefined || second === undefined) expect.fail();
    await applyScenario(lab, first, vm);
    await expect(applyScenario(lab, second, vm)).rejects.toThrow(/carries checkpoint-dropped/);
    await undoScenario(lab, vm);
    expect(await readReality(lab, vm, inodes)).toEqual(fresh);
  }));

test("undo takes away a drift that was broken off half-way", () =>
  withSeat(async ({ vm, inodes, fresh }) => {
    const apply = async () => {
      await vm.stop();
      throw new Error("broken off");
    };
    await expect(applyScenario(lab, { ...ANY, apply }, vm)).rejects.toThrow("broken off");
    await undoScenario(lab, vm);
    expect(await readReality(lab, vm, inodes)).toEqual(fresh);
  }));
