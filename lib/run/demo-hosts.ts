/** The hosts of the demo: real ones, or simulated ones and why. */
import { join } from "node:path";
import { type Lab, openLab } from "#lab/lab.ts";
import { LockHeldError } from "#lab/lock.ts";
import { ensurePackages, HOST_NEEDS } from "./packages.ts";
import { startSimulation } from "./simulation.ts";
import { type StackHost, stackHosts } from "./stack.ts";

const NAMES = ["alpha", "beta"];

/** `lab` null: libvirt cannot be had here, which `say` was told with the reason. Throws when another demo runs. */
export async function openDemoHosts(
  dir: string,
  say: (line: string) => void,
): Promise<{ lab: Lab | null; hosts: StackHost[] }> {
  const simulate = (why: string) => {
    say(`driftline: no real hosts: ${why}\ndriftline: showing SIMULATED ones.`);
    return { lab: null, hosts: startSimulation(join(dir, "simulated")) };
  };
  const missing = ensurePackages(HOST_NEEDS);
  if (missing.length > 0) return simulate(`this machine lacks ${missing.map(({ what }) => what).join(", ")}.`);
  say("driftline: starting two real libvirt hosts");
  try {
    const lab = await openLab({ dir: join(dir, "lab"), hosts: NAMES });
    return { lab, hosts: stackHosts(lab) };
  } catch (error) {
    // Nothing is wrong with libvirt then.
    if (error instanceof LockHeldError) throw error;
    return simulate((error as Error).message.trim());
  }
}
