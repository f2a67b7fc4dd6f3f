/**
 * A small fleet on two real hosts in which every kind of state can be seen: what the demo shows and what the browser
 * journeys walk through. Each VM is registered while it is whole, then its drift is made with the real tools.
 */
import type { Lab } from "#lab/lab.ts";
import {
  applyScenario,
  findScenario,
  possibleScenarios,
  prepareScenario,
  type RecordedCheckpoint,
} from "#lab/scenarios/index.ts";
import type { LabVm } from "#lab/vm.ts";
import { type EngineClient, waitFor } from "./api.ts";

type Entry = { name: string; host: 0 | 1; scenario: string };

/** Order matters to the eye only: the fleet list sorts by name. */
const SHOWCASE: readonly Entry[] = [
  { name: "billing-db", host: 0, scenario: "healthy-running" },
  { name: "mail-01", host: 1, scenario: "healthy-running" },
  { name: "wiki", host: 0, scenario: "healthy-stopped" },
  { name: "crm-app", host: 0, scenario: "restart-elsewhere" },
  { name: "shop-web", host: 0, scenario: "live-migration" },
  { name: "ldap-02", host: 1, scenario: "bitmap-removed-live" },
  { name: "erp-db", host: 1, scenario: "older-image-put-back" },
  { name: "build-runner", host: 1, scenario: "qemu-killed-restarted" },
  { name: "monitoring", host: 0, scenario: "foreign-tool" },
  { name: "file-server", host: 1, scenario: "disk-added" },
  { name: "legacy-fax", host: 0, scenario: "disk-raw" },
  { name: "git-mirror", host: 1, scenario: "image-held" },
  { name: "test-bench", host: 1, scenario: "bitmap-disabled-live" },
];

/** What of it this lab can make: a machine that gives hosts no hostnames of their own has no live migration. */
export function showcaseOf(lab: Lab): Entry[] {
  const possible = new Set(possibleScenarios(lab).map(({ name }) => name));
  return SHOWCASE.filter(({ scenario }) => possible.has(scenario));
}

export type ShowcaseVm = { entry: Entry; vm: LabVm; record: RecordedCheckpoint[] };

/** Registers a record the way another backup manager does, and waits until the engine has seen the VM at all. */
export async function registerRecord(api: EngineClient, vmId: string, record: RecordedCheckpoint[]): Promise<void> {
  await waitFor("the engine should see the VM", 15_000, async () => {
    const chain = await api.vms.chain({ vmId }).catch(() => null);
    return chain?.host.status === "observed" ? { done: true } : { notYet: chain?.host ?? "not found" };
  });
  for (const { id, parentId, createdAt, disks } of record)
    await api.vms.registerCheckpoint({ vmId, id, parentId, createdAt, disks });
}

/** Prepares, registers and drifts all of them. `say` hears one line a VM. */
export async function prepareShowcase(
  lab: Lab,
  api: EngineClient,
  options: { entries?: readonly Entry[]; say?: (line: string) => void } = {},
): Promise<ShowcaseVm[]> {
  const made: ShowcaseVm[] = [];
  for (const entry of options.entries ?? showcaseOf(lab)) {
    const scenario = findScenario(entry.scenario);
    const host = lab.hosts[entry.host];
    if (!host) throw new Error(`the showcase needs ${entry.host + 1} hosts`);
    const { vm, record } = await prepareScenario(lab, scenario, { name: entry.name, host: host.name });
    await registerRecord(api, vm.id, record);
    // Seen while it runs and is whole: a rewind is proven by counts that were seen before it.
    await api.vms.observe({ vmId: vm.id });
    await applyScenario(lab, scenario, vm);
    await api.vms.observe({ vmId: vm.id });
    options.say?.(`${entry.name.padEnd(14)} ${scenario.title}`);
    made.push({ entry, vm, record });
  }
  return made;
}
