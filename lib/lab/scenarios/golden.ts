import { chownSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { LabContext } from "../context.ts";
import { changeImageBitmap, copyImage, createImage, runOnImage } from "../images.ts";
import { takeLock } from "../lock.ts";
import type { LabDisk } from "../state.ts";

/** How far the story of the base images has gone. */
export type Stage =
  /** cp1..cp3, before cp4 was made. */
  | "before-cp4"
  /** All four, but some writes are still to come: the older copy that somebody puts back. */
  | "older"
  /** All four and all writes: where every scenario begins. */
  | "golden";

const KiB = 1024;
const MiB = 1024 * KiB;
type Step = { make: string } | { write: [offset: number, length: number] } | { save: Stage };

/** Whole granules (64 KiB) only, so that each count is the sum of what came after its checkpoint. */
const STORY: Record<string, { sizeMiB: number; steps: Step[] }> = {
  vda: {
    sizeMiB: 32,
    steps: [
      { make: "cp1" },
      { write: [0, MiB] },
      { make: "cp2" },
      { write: [MiB, 512 * KiB] },
      { make: "cp3" },
      { write: [2 * MiB, 256 * KiB] },
      { save: "before-cp4" },
      { make: "cp4" },
      { write: [3 * MiB, 128 * KiB] },
      { save: "older" },
      { write: [4 * MiB, 512 * KiB] },
      // Dirty in cp1 already and clean in the others: the counts part by different amounts, as in a disk that is used.
      { write: [0, 256 * KiB] },
      { save: "golden" },
    ],
  },
  vdb: {
    sizeMiB: 16,
    steps: [
      { make: "cp1" },
      { write: [0, 256 * KiB] },
      { make: "cp2" },
      { write: [MiB, 128 * KiB] },
      { save: "before-cp4" },
      { make: "cp4" },
      { write: [2 * MiB, 64 * KiB] },
      { save: "older" },
      { write: [3 * MiB, 64 * KiB] },
      { save: "golden" },
    ],
  },
};

export const BASE_DISKS = Object.entries(STORY).map(([target, { sizeMiB }]) => ({ target, sizeMiB }));

/** Which disks each checkpoint of the base covers, oldest first. */
export const BASE_CHECKPOINTS = ["cp1", "cp2", "cp3", "cp4"].map((id) => ({
  id,
  disks: Object.entries(STORY)
    .filter(([, { steps }]) => steps.some((step) => "make" in step && step.make === id))
    .map(([target]) => target),
}));

export function stageImage(lab: LabContext, stage: Stage, target: string): string {
  return join(lab.dir, "base", `${stage}-${target}.qcow2`);
}

/** Makes the base images once per lab, with qemu-img and qemu-io alone; later calls cost nothing. */
export async function makeGolden(lab: LabContext): Promise<void> {
  const isMade = () => Object.keys(STORY).every((target) => existsSync(stageImage(lab, "golden", target)));
  if (isMade()) return;
  const lock = await takeLock(join(lab.dir, "base.lock"), 60_000);
  try {
    if (isMade()) return;
    const folder = join(lab.dir, "base");
    mkdirSync(folder, { recursive: true });
    if (lab.account !== null) chownSync(folder, lab.account.uid, lab.account.gid);
    await Promise.all(Object.entries(STORY).map(([target, story]) => tell(lab, target, story)));
  } finally {
    await lock.release();
  }
}

async function tell(lab: LabContext, target: string, story: { sizeMiB: number; steps: Step[] }): Promise<void> {
  const path = join(lab.dir, "base", `work-${target}.qcow2`);
  const disk: LabDisk = { target, sizeMiB: story.sizeMiB, format: "qcow2", path };
  await createImage(lab, disk);
  for (const step of story.steps) {
    if ("make" in step) await changeImageBitmap(lab, path, "add", step.make);
    else if ("save" in step) await copyImage(lab, path, stageImage(lab, step.save, target));
    else await runOnImage(lab, "qemu-io", ["-f", "qcow2", "-c", `write -P 7 ${step.write[0]} ${step.write[1]}`, path]);
  }
}
