/** Dirty extents of one bitmap of one disk: from the image of a stopped domain, from a pull job of a running one. */
import { type BitmapView, viewBitmaps } from "#chain/bitmaps.ts";
import type { Extents } from "#contract/common.ts";
import { ProblemError } from "#contract/problem.ts";
import type { ExtentsRequest } from "../driver.ts";
import { HostFailure, observeError } from "../failure.ts";
import { LOST_BACKUP_WORDS } from "../host-error.ts";
import { foldExtents, readColdBitmap } from "../qemu/extents.ts";
import type { LiveDisk } from "../qemu/nodes.ts";
import type { CallPool } from "./call-pool.ts";
import { readColdDisks } from "./cold.ts";
import type { Inspection } from "./ipc.ts";
import type { PullJobs } from "./pull-jobs.ts";

function notFound(what: string, subject: string): never {
  throw new ProblemError("not_found", what, { subject });
}

function findBitmap(target: string, { layers }: LiveDisk, name: string): BitmapView {
  const bitmap = viewBitmaps(target, layers).get(name);
  if (bitmap === undefined) return notFound("This disk has no such bitmap.", name);
  if (bitmap.state === "inconsistent") {
    throw new ProblemError("unsupported", "This bitmap is inconsistent: QEMU does not tell its extents.", {
      subject: name,
    });
  }
  return bitmap;
}

/** A running domain shows a bitmap only inside a backup job, and only as a checkpoint that libvirt knows. */
function assertCanPull(inspection: Inspection, request: ExtentsRequest): void {
  const { job, checkpoints } = inspection;
  if (!job.ok) throw new HostFailure(job.error);
  if (job.value.operation === "lost-backup") {
    throw new HostFailure({ ...observeError("lock-held", LOST_BACKUP_WORDS), retryable: false });
  }
  if (job.value.operation !== "none") {
    throw new HostFailure(observeError("lock-held", `A ${job.value.operation} job is on this domain.`));
  }
  if (!checkpoints.ok) throw new HostFailure(checkpoints.error);
  const checkpoint = checkpoints.value.find((c) => c.id === request.name);
  if (checkpoint?.disks.some((d) => d.target === request.target && d.bitmap === request.name)) return;
  const why = "The domain runs and libvirt lists no checkpoint of this name for this disk, so it cannot be shown.";
  throw new ProblemError("unsupported", why, { subject: request.name });
}

/** @throws HostFailure, ProblemError */
export async function readExtents(
  { pool, pulls, qmp }: { pool: CallPool; pulls: PullJobs; qmp: boolean },
  request: ExtentsRequest,
): Promise<Extents> {
  const { vmId, target, name, buckets: most } = request;
  const observedAt = new Date().toISOString();
  const inspection = await pool.call("inspect", { vmId, qmp }, { vmId });
  if (inspection === null) return notFound("This host has no such domain.", vmId);
  const disk = inspection.disks.find((d) => d.target === target);
  if (disk === undefined) return notFound("This domain has no such writable disk.", target);
  const isLive = disk.live !== null;
  const read = disk.live ?? (await readColdDisks(pool, vmId, [disk]))[0];
  if (read === undefined) return notFound("This domain has no such writable disk.", target);
  if (!read.ok) throw new HostFailure(read.error);
  const { granularity, held } = findBitmap(target, read.value, name);
  const virtualSize = read.value.virtualSize ?? 0;
  if (isLive) assertCanPull(inspection, request);
  const layers = held.map(({ layer }) => layer);
  const extents = isLive ? await pulls.read({ vmId, target, name }) : await readColdBitmap(layers, name);
  return {
    disk: target,
    bitmap: name,
    source: isLive ? "backup-live" : "nbd-cold",
    observedAt,
    virtualSize,
    granularity,
    dirtyBytes: extents.reduce((sum, extent) => sum + extent.lengthBytes, 0),
    extentCount: extents.length,
    ...foldExtents(extents, { virtualSize, granularity, most }),
  };
}
