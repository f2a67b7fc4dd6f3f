/**
 * libvirt's own bitmap of an incremental backup, `backup-<disk>`, outlives the job when libvirt is killed as the job ends.
 * It goes with its QEMU; until then QEMU refuses every further one of that disk: "Bitmap already exists".
 */
import type { Observation } from "#chain/model.ts";
import { changesOf } from "../operations/delete-bitmaps.ts";
import type { CallPool } from "./call-pool.ts";

const DEADLINE_MS = 40_000;

/** Removes them where no job runs. One that cannot be removed stays: libvirt then refuses the backup in its own words. */
export async function removeLeftHelpers(pool: CallPool, { vmId, runtimeId, job, disks }: Observation): Promise<void> {
  if (runtimeId === null || !job.ok || job.value.operation !== "none") return;
  const left = disks.flatMap(({ target, layers }) => {
    const bitmap = `backup-${target}`;
    const seen = layers.ok ? layers.value.flatMap((layer) => layer.bitmaps) : [];
    return seen.some(({ name, persistent, busy }) => name === bitmap && !persistent && !busy)
      ? [{ disk: target, bitmap }]
      : [];
  });
  if (left.length === 0) return;
  await pool.call("change", { vmId, runtimeId, changes: changesOf(left) }, { vmId, deadlineMs: DEADLINE_MS });
}
