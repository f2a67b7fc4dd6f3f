/** Made-up domains, many of them, the same ones for the same numbers. */
import type { SimBitmap, SimDomain } from "./state.ts";

const GRANULARITY = 65_536;
const GIB = 2 ** 30;
const FIRST_CHECKPOINT = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

/** A small generator of numbers (mulberry32): the same seed gives the same fleet on every machine. */
function makeRandom(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, "0");
/** The id of the n-th domain of a fleet. */
export const fleetVmId = (seed: number, n: number): string => `${hex(seed, 8)}-0000-4000-8000-${hex(n, 12)}`;

function makeBitmaps(count: number, sizeBytes: number, random: () => number): SimBitmap[] {
  // Older ones have seen more writes, so the counts fall from the oldest to the newest.
  let clusters = 0;
  const bitmaps: SimBitmap[] = [];
  for (let i = count - 1; i >= 0; i -= 1) {
    clusters = Math.min(sizeBytes / GRANULARITY, clusters + Math.floor(random() * 200));
    bitmaps.push({
      name: `cp${i}`,
      recording: true,
      busy: false,
      persistent: true,
      inconsistent: false,
      dirtyBytes: clusters * GRANULARITY,
      granularity: GRANULARITY,
      isStored: true,
    });
  }
  return bitmaps.reverse();
}

function makeDomain(n: number, options: FleetOptions): SimDomain {
  const { checkpoints, disks, seed } = options;
  const random = makeRandom(seed * 1_000_003 + n);
  const name = `sim-${String(n).padStart(5, "0")}`;
  const isRunning = random() < 0.8;
  const targets = Array.from({ length: disks }, (_, i) => `vd${String.fromCharCode(97 + i)}`);
  const sizes = targets.map(() => (1 + Math.floor(random() * 64)) * GIB);
  return {
    vmId: fleetVmId(seed, n),
    name,
    power: isRunning ? "running" : "shut-off",
    persistent: true,
    run: isRunning ? 1 : 0,
    checkpoints: Array.from({ length: checkpoints }, (_, i) => ({
      id: `cp${i}`,
      parentId: i === 0 ? null : `cp${i - 1}`,
      createdAt: new Date(FIRST_CHECKPOINT + i * DAY_MS).toISOString(),
      current: i === checkpoints - 1,
      hasDisksElement: true,
      disks: targets.map((target) => ({ target, bitmap: `cp${i}` })),
    })),
    disks: targets.map((target, i) => {
      const path = `/sim/images/${name}-${target}.qcow2`;
      const virtualSize = sizes[i] ?? GIB;
      const bitmaps = makeBitmaps(checkpoints, virtualSize, random);
      return {
        target,
        source: path,
        format: "qcow2",
        virtualSize,
        device: "1",
        inode: String(n * 100 + i + 1),
        layers: [{ path, format: "qcow2", qcow2Compat: "1.1", bitmaps }],
        failure: null,
      };
    }),
    job: null,
    failure: null,
    cause: null,
  };
}

export type FleetOptions = { vms: number; checkpoints: number; disks: number; seed: number };

/** Healthy domains: every checkpoint has its bitmap on every disk. */
export function makeFleet(options: Partial<FleetOptions> & { vms: number }): SimDomain[] {
  const all = { checkpoints: 8, disks: 2, seed: 1, ...options };
  return Array.from({ length: all.vms }, (_, n) => makeDomain(n, all));
}
