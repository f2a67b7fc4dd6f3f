import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { validateSet } from "#chain/validate.ts";
import { openSimulatedDriver } from "./driver.ts";
import { fleetVmId, makeFleet } from "./fleet.ts";
import { domainsOf, writeState } from "./state.ts";

describe("simulated fleet", () => {
  it("is the same for the same numbers and another for another seed", () => {
    expect(makeFleet({ vms: 5, seed: 3 })).toEqual(makeFleet({ vms: 5, seed: 3 }));
    expect(makeFleet({ vms: 5, seed: 3 })).not.toEqual(makeFleet({ vms: 5, seed: 4 }));
  });

  it("lets a state file replace, add and remove single domains of a fleet", () => {
    const [one] = makeFleet({ vms: 1 });
    if (one === undefined) throw new Error("no domain");
    const fleet = { vms: 3, checkpoints: 2, disks: 1, seed: 1 };
    const changed = { ...one, name: "changed" };
    const domains = domainsOf({ version: 1, connected: true, fleet, domains: [changed], removed: [fleetVmId(1, 2)] });
    expect([...domains.values()].map((d) => d.name)).toEqual(["changed", "sim-00001"]);
  });

  it("observes 10,000 domains, every one with a true chain", { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "dl-agent-fleet-"));
    const path = join(folder, "state.json");
    writeState(path, { version: 1, fleet: { vms: 10_000, checkpoints: 4 } });
    const driver = openSimulatedDriver({ path, qmp: true, repositories: [] });
    let count = 0;
    const digests = new Set<string>();
    for await (const item of await driver.observe({})) {
      if (item.type !== "observation") throw new Error(item.type);
      count += 1;
      digests.add(item.observation.digest);
      const { checkpoints } = item.observation;
      if (count % 1_000 === 0 && checkpoints.ok) {
        expect(validateSet({ checkpoints: checkpoints.value, observation: item.observation }).valid).toBe(true);
      }
    }
    await driver.close();
    rmSync(folder, { recursive: true });
    expect([count, digests.size]).toEqual([10_000, 10_000]);
  });
});
