/** A simulated host that fails where a test wants it to: between the agent's steps and what they do. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostError } from "#contract/agent-operations.ts";
import { HostFailure, observeError } from "../failure.ts";
import type { Change, HostSteps } from "../operations/host-steps.ts";
import { SimController } from "../simulated/controller.ts";
import { domainsOf, readState } from "../simulated/state.ts";
import { makeSimulatedSteps } from "../simulated/steps.ts";

/** What happens to the change number `n` (from 0, over all calls): an error instead of it, or the host is lost after it. */
export type Interference = (change: Change, n: number) => HostError | "lost-before" | "lost-after" | null;

export type InterferedHost = {
  sim: SimController;
  vmId: string;
  steps: HostSteps;
  /** Every change that was really made, in order. */
  made: Change[];
  interfere(how: Interference): void;
  close(): void;
};

/** A running domain of two disks on a host of its own. */
export function openInterferedHost(): InterferedHost {
  const folder = mkdtempSync(join(tmpdir(), "dl-steps-"));
  const path = join(folder, "state.json");
  const sim = new SimController(path);
  const vmId = randomUUID();
  sim.define(vmId, "vm", [
    { target: "vda", sizeMiB: 16 },
    { target: "vdb", sizeMiB: 16 },
  ]);
  sim.start(vmId);
  const inner = makeSimulatedSteps({ path, qmp: true, find: (id) => domainsOf(readState(path)).get(id) });
  const made: Change[] = [];
  let how: Interference = () => null;
  let n = 0;
  const steps: HostSteps = {
    ...inner,
    async change(pin, changes) {
      for (const [done, change] of changes.entries()) {
        const what = how(change, n);
        n += 1;
        if (typeof what === "object" && what !== null) return { done, error: what };
        if (what === "lost-before") throw new HostFailure(observeError("libvirt-unreachable", "lost"));
        const outcome = await inner.change(pin, [change]);
        if (outcome.error !== null) return { done, error: outcome.error };
        made.push(change);
        if (what === "lost-after") throw new HostFailure(observeError("timeout", "no answer"));
      }
      if (changes.length === 0) return await inner.change(pin, []);
      return { done: changes.length, error: null };
    },
  };
  return {
    sim,
    vmId,
    steps,
    made,
    interfere(next) {
      how = next;
      n = 0;
      made.length = 0;
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
