/** Backups that were made, their files, and the proof that they can be restored. */
import { eventIterator, oc } from "@orpc/contract";
import { z } from "zod";
import { LIMITS } from "#chain/limits.ts";
import * as model from "#chain/model.ts";
import { verifyItemSchema } from "./agent-operations.ts";
import { bytes, diskTarget, isoTime, sha256Hex, uuid, vmId } from "./common.ts";
import { jobSchema } from "./engine-jobs.ts";
import { takesIdempotencyKey } from "./idempotency.ts";
import { cursor, limit, page } from "./paging.ts";

const backupSchema = z.object({
  id: uuid,
  vmId,
  jobId: uuid.nullable(),
  hostId: uuid.nullable(),
  checkpointId: z.string().nullable(),
  kind: z.enum(["full", "incremental", "mixed"]),
  state: z.enum(model.BACKUP_STATES),
  startedAt: isoTime,
  endedAt: isoTime.nullable(),
  bytes: bytes.nullable(),
  error: z.string().nullable(),
  disks: z.array(
    z.object({
      target: z.string(),
      mode: z.enum(["full", "incremental"]),
      base: z.string().nullable(),
      path: z.string().nullable(),
      backing: z.string().nullable(),
      bytes: bytes.nullable(),
      /** Of the disk's content at that point in time, read back from the chain of files right after the backup. */
      sha256: sha256Hex.nullable(),
    }),
  ),
  /** The newest verification, if there was one. */
  verified: z.object({ at: isoTime, ok: z.boolean(), detail: z.string() }).nullable(),
});
export type BackupView = z.infer<typeof backupSchema>;

export const backupRoutes = {
  /** Takes the header `Idempotency-Key`; the same key again answers with the same job. */
  create: oc
    .route({
      method: "POST",
      path: "/vms/{vmId}/backups",
      successStatus: 202,
      summary: "Back a VM up now: its plan is computed, kept, and run at once, unless it asks for something first",
      spec: takesIdempotencyKey,
    })
    .input(
      z.strictObject({
        vmId,
        /** `auto`: each disk as its verdict allows. */
        mode: z.enum(["full", "auto"]).default("full"),
        /** Absent: all that are attached. */
        disks: z.array(diskTarget).min(1).max(LIMITS.disksPerVm).optional(),
        /** Absent: the host's first. */
        repository: z.string().min(1).max(LIMITS.pathLength).optional(),
        reason: z.string().max(1_000).optional(),
      }),
    )
    .output(jobSchema),
  list: oc
    .route({ method: "GET", path: "/vms/{vmId}/backups", summary: "Backup history, kept" })
    .input(z.strictObject({ vmId, cursor, limit }))
    .output(page(backupSchema)),
  get: oc
    .route({ method: "GET", path: "/backups/{backupId}", summary: "One backup with its files" })
    .input(z.strictObject({ backupId: uuid }))
    .output(backupSchema),
  verify: oc
    .route({
      method: "POST",
      path: "/backups/{backupId}/verify",
      summary: "Restore proof: checks, restores to a temporary file, compares; streamed, and its result is kept",
    })
    .input(z.strictObject({ backupId: uuid }))
    .output(
      eventIterator(
        z.union([
          verifyItemSchema,
          z.object({ type: z.literal("result"), ok: z.boolean(), detail: z.string(), at: isoTime }),
        ]),
      ),
    ),
};
