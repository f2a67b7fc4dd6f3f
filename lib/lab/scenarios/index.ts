import { changeVm, vmState } from "../context.ts";
import type { Lab } from "../lab.ts";
import type { LabVm } from "../vm.ts";
import { type OnCommitted, prepareVm, recordOf, resetVm } from "./base.ts";
import { BITMAPS } from "./bitmaps.ts";
import { CRASHES } from "./crashes.ts";
import { DISKS } from "./disks.ts";
import { HEALTHY } from "./healthy.ts";
import { METADATA } from "./metadata.ts";
import { MOVES } from "./moves.ts";
import type { Prepared, Scenario } from "./types.ts";

export type { RecordedCheckpoint } from "../state.ts";
export type { ExpectedFinding, Prepared, Scenario } from "./types.ts";

export const SCENARIOS: readonly Scenario[] = [...MOVES, ...METADATA, ...BITMAPS, ...CRASHES, ...DISKS, ...HEALTHY];

/** Those that this lab can make: all of them, except where it has one host or cannot migrate. */
export function possibleScenarios(lab: Lab): Scenario[] {
  const { length } = lab.hosts;
  return SCENARIOS.filter((entry) => (!entry.needsTwoHosts || length > 1) && (!entry.needsMigration || lab.canMigrate));
}

export function findScenario(name: string): Scenario {
  const scenario = SCENARIOS.find((entry) => entry.name === name);
  if (scenario === undefined) throw new Error(`No scenario ${name}. Known: ${SCENARIOS.map((s) => s.name).join(" ")}`);
  return scenario;
}

/**
 * A running VM from which the scenario can be applied, and the record that a manager should have of it
 * (register it before applying, parents first). `vm`: an earlier one to bring into that state instead of a new one;
 * one that a manager watches should not go from `stored` to `newest-unflushed`, its dirty counts would fall.
 */
export async function prepareScenario(
  lab: Lab,
  scenario: Scenario,
  options: { name?: string; host?: string; vm?: LabVm } = {},
): Promise<Prepared> {
  if (!possibleScenarios(lab).some(({ name }) => name === scenario.name))
    throw new Error(`${scenario.name} is not possible in this lab: too few hosts, or no live migration.`);
  if (options.vm === undefined)
    return prepareVm(lab, { name: options.name ?? scenario.name, host: options.host, base: scenario.base });
  if (vmState(lab.context, options.vm.id).fresh !== scenario.base) await resetVm(lab, options.vm, scenario.base);
  return { vm: options.vm, record: recordOf(lab, options.vm) };
}

/** Makes the drift. Refuses on a VM that still carries another one. */
export async function applyScenario(lab: Lab, scenario: Scenario, vm: LabVm): Promise<void> {
  const { applied } = vmState(lab.context, vm.id);
  if (applied !== null) throw new Error(`${vm.name} carries ${applied}: undo that first.`);
  await changeVm(lab.context, vm.id, (state) => {
    Object.assign(state, { applied: scenario.name, fresh: null });
  });
  await scenario.apply(lab, vm);
}

/** Brings the VM back to the base, where reality and its record agree; works after a half-made apply, too. See `resetVm`. */
export function undoScenario(lab: Lab, vm: LabVm, onCommitted?: OnCommitted): Promise<void> {
  return resetVm(lab, vm, "stored", onCommitted);
}
