/** Simulated hosts for machines without libvirt: the same agent, another driver behind it. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeState } from "#agent/simulated/state.ts";
import type { StackHost } from "./stack.ts";

/** Writes the state of two simulated hosts below `dir` and answers how an agent is pointed at them. */
export function startSimulation(dir: string): StackHost[] {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  return ["alpha", "beta"].map((name, index) => {
    const path = join(dir, `${name}.json`);
    writeState(path, { version: 1, fleet: { vms: 8, checkpoints: 6, disks: 2, seed: index + 1 } });
    return { name, libvirtUri: `sim://${path}` };
  });
}
