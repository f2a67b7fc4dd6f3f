/** The part of the agent's API that changes something. Every answer ends with a fresh observation as its proof. */
import { eventIterator, oc } from "@orpc/contract";
import { z } from "zod";
import { LIMITS } from "#chain/limits.ts";
import {
  bytes,
  checkpointName,
  diskTarget,
  hostName,
  isoTime,
  observationSchema,
  observeErrorSchema,
  sha256Hex,
  vmId,
} from "./common.ts";

/** The run of the domain that the caller means: work begun on one run never continues on the next. null: it must not run. */
const expectSchema = z.strictObject({ runtimeId: z.string().max(200).nullable() });

/** What libvirt, QEMU or qemu-img said, typed once. */
export const hostErrorSchema = z.object({
  /** Ours, closed. */
  code: observeErrorSchema.shape.code.or(
    z.enum([
      "checkpoint-inconsistent",
      "bitmap-not-found",
      "parent-not-found",
      "already-exists",
      "not-running",
      "no-space",
    ]),
  ),
  message: z.string(),
  hostMessage: z.string().nullable(),
  libvirtCode: z.int().nullable(),
  libvirtDomain: z.int().nullable(),
  retryable: z.boolean(),
  /** Targets that it is about, where it is about some disks and not about others. */
  disks: z.array(z.string()).optional(),
});
export type HostError = z.infer<typeof hostErrorSchema>;

const definedCheckpointInput = z.strictObject({
  id: checkpointName,
  parentId: checkpointName.nullable(),
  createdAt: isoTime,
  disks: z
    .array(z.strictObject({ target: diskTarget }))
    .min(1)
    .max(LIMITS.disksPerVm),
});

/** State of a bitmap that keeps a checkpoint from being defined. */
export const UNHEALTHY_STATES = [
  "missing",
  "inconsistent",
  "not-recording",
  "not-persistent",
  "gap",
  "unsupported",
  "disk-gone",
  "unreadable",
  "cannot-tell",
] as const;

export const redefineResultSchema = z.object({
  defined: z.array(z.string()),
  replaced: z.array(z.string()),
  unchanged: z.array(z.string()),
  refused: z.array(
    z.object({ id: z.string(), reasons: z.array(z.object({ disk: z.string(), state: z.enum(UNHEALTHY_STATES) })) }),
  ),
  failed: z.array(z.object({ id: z.string(), error: hostErrorSchema })),
  rolledBack: z.array(z.string()),
  /** Healthy, and left as they were because another one was refused or failed. */
  notTried: z.array(z.string()),
  elapsedMs: z.number(),
  proof: observationSchema,
});
export type RedefineResult = z.infer<typeof redefineResultSchema>;

export const deleteCheckpointsResultSchema = z.object({
  results: z.array(
    z.object({
      id: z.string(),
      outcome: z.enum(["deleted", "metadata-only", "absent", "failed"]),
      /** Disks whose bitmap went with it. */
      disks: z.array(z.string()),
      error: hostErrorSchema.nullable(),
    }),
  ),
  proof: observationSchema,
});
export type DeleteCheckpointsResult = z.infer<typeof deleteCheckpointsResultSchema>;

export const deleteBitmapsResultSchema = z.object({
  results: z.array(
    z.object({
      disk: z.string(),
      bitmap: z.string(),
      outcome: z.enum(["deleted", "absent", "failed"]),
      error: hostErrorSchema.nullable(),
    }),
  ),
  proof: observationSchema,
});
export type DeleteBitmapsResult = z.infer<typeof deleteBitmapsResultSchema>;

const repositoryPath = z
  .string()
  .min(1)
  .max(LIMITS.pathLength)
  .regex(/^\/[^\0]*$/, "an absolute path");

const backupDiskInput = z.strictObject({
  target: diskTarget,
  mode: z.enum(["full", "incremental"]),
  /** Checkpoint from which an incremental starts; null for a full one. */
  base: checkpointName.nullable(),
  /** The new file, inside a listed repository; it must not exist. Missing directories are made. */
  path: repositoryPath,
  /** The restore point of `base`, on which the new file is put; null for a full one. Inside a listed repository too. */
  backing: repositoryPath.nullable(),
});

/** `none`: libvirt has no backup job and the agent saw none end. `ended-unseen`: a job is gone and nobody saw how. */
const BACKUP_JOB_STATES = ["none", "running", "finished", "failed", "aborted", "ended-unseen"] as const;
export const currentBackupSchema = z.object({
  state: z.enum(BACKUP_JOB_STATES),
  /** The checkpoint that it makes, where the agent or libvirt can say it. */
  checkpointId: z.string().nullable(),
  startedAt: isoTime.nullable(),
  endedAt: isoTime.nullable(),
  progress: z.object({ doneBytes: bytes, totalBytes: bytes.nullable() }).nullable(),
  disks: z.array(
    z.object({
      target: z.string(),
      mode: z.enum(["full", "incremental"]),
      path: z.string(),
      /** Bytes that the file takes on the repository. */
      bytes: bytes.nullable(),
    }),
  ),
  error: hostErrorSchema.nullable(),
});
export type CurrentBackup = z.infer<typeof currentBackupSchema>;

export const verifyItemSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("progress"),
    target: z.string(),
    what: z.enum(["check", "restore", "compare"]),
    doneBytes: bytes,
    totalBytes: bytes,
  }),
  z.object({
    type: z.literal("disk"),
    target: z.string(),
    /** Each image of the chain, newest first. */
    images: z.array(
      z.object({
        path: z.string(),
        ok: z.boolean(),
        corruptions: z.int().nullable(),
        leaks: z.int().nullable(),
        error: z.string().nullable(),
      }),
    ),
    /** Over the whole content as the guest sees it; null when it could not be restored. */
    sha256: sha256Hex.nullable(),
    virtualSize: bytes.nullable(),
    /** Against the disk itself; `not-comparable`: the VM runs, was written to since, or nothing was asked. */
    comparedWithDisk: z.enum(["equal", "differs", "not-comparable"]),
    /** Why not comparable, or where it differs first. */
    detail: z.string().nullable(),
    error: hostErrorSchema.nullable(),
  }),
  z.object({ type: z.literal("done"), at: isoTime }),
]);
export type VerifyItem = z.infer<typeof verifyItemSchema>;

export const redefineInput = z.strictObject({
  vmId,
  checkpoints: z.array(definedCheckpointInput).max(LIMITS.checkpointsPerVm),
  mode: z.enum(["strict", "salvage"]).default("strict"),
  expect: expectSchema.optional(),
});
export type RedefineInput = z.output<typeof redefineInput>;

const deleteCheckpointsInput = z.strictObject({
  vmId,
  ids: z.array(hostName.min(1)).min(1).max(LIMITS.checkpointsPerVm),
  expect: expectSchema.optional(),
});
export type DeleteCheckpointsInput = z.output<typeof deleteCheckpointsInput>;

const deleteBitmapsInput = z.strictObject({
  vmId,
  items: z
    .array(z.strictObject({ disk: diskTarget, bitmap: hostName.min(1) }))
    .min(1)
    .max(LIMITS.checkpointsPerVm),
  expect: expectSchema.optional(),
});
export type DeleteBitmapsInput = z.output<typeof deleteBitmapsInput>;

const beginBackupInput = z.strictObject({
  vmId,
  checkpointId: checkpointName,
  disks: z.array(backupDiskInput).min(1).max(LIMITS.disksPerVm),
  expect: expectSchema.optional(),
});
export type BeginBackupInput = z.output<typeof beginBackupInput>;

const discardFilesInput = z.strictObject({ paths: z.array(repositoryPath).min(1).max(LIMITS.disksPerVm) });
export type DiscardFilesInput = z.output<typeof discardFilesInput>;
const discardFilesResultSchema = z.object({ removed: z.array(z.string()), absent: z.array(z.string()) });
export type DiscardFilesResult = z.infer<typeof discardFilesResultSchema>;

const verifyBackupInput = z.strictObject({
  disks: z
    .array(z.strictObject({ target: diskTarget, path: repositoryPath }))
    .min(1)
    .max(LIMITS.disksPerVm),
  /** The VM whose stopped disks are compared; null: only check and hash. */
  compareWith: z
    .strictObject({
      vmId,
      /** The checkpoint made with this backup: its bitmaps tell whether a disk was written to since. */
      checkpointId: checkpointName.optional(),
    })
    .nullable(),
});
export type VerifyBackupInput = z.output<typeof verifyBackupInput>;

export const agentOperations = {
  redefine: oc
    .route({
      method: "PUT",
      path: "/domains/{vmId}/checkpoints",
      summary: "Bulk redefine: makes libvirt's list equal to this one, parents first; deletes nothing",
    })
    .input(redefineInput)
    .output(redefineResultSchema),
  deleteCheckpoints: oc
    .route({
      method: "POST",
      path: "/domains/{vmId}/checkpoints/delete",
      summary: "Deletes checkpoints with their bitmaps, leaf to root",
    })
    .input(deleteCheckpointsInput)
    .output(deleteCheckpointsResultSchema),
  deleteBitmaps: oc
    .route({ method: "POST", path: "/domains/{vmId}/bitmaps/delete", summary: "Deletes bitmaps, running or stopped" })
    .input(deleteBitmapsInput)
    .output(deleteBitmapsResultSchema),
  beginBackup: oc
    .route({
      method: "POST",
      path: "/domains/{vmId}/backups",
      successStatus: 202,
      summary: "Begins a push-mode backup with its checkpoint, a mode per disk",
    })
    .input(beginBackupInput)
    .output(currentBackupSchema),
  currentBackup: oc
    .route({
      method: "GET",
      path: "/domains/{vmId}/backups/current",
      summary: "The backup job: progress or how it ended",
    })
    .input(z.strictObject({ vmId }))
    .output(currentBackupSchema),
  abortBackup: oc
    .route({
      method: "DELETE",
      path: "/domains/{vmId}/backups/current",
      summary: "Aborts the job that holds the domain",
    })
    .input(z.strictObject({ vmId }))
    .output(currentBackupSchema),
  /** Removes files of a backup that did not finish; only inside the repositories, only the named files. */
  discardFiles: oc
    .route({ method: "POST", path: "/backups/discard", summary: "Removes the files of a backup that did not finish" })
    .input(discardFilesInput)
    .output(discardFilesResultSchema),
  verifyBackup: oc
    .route({
      method: "POST",
      path: "/backups/verify",
      summary:
        "Checks images, restores each chain to a temporary file, hashes it, compares it with a stopped disk; streamed",
    })
    .input(verifyBackupInput)
    .output(eventIterator(verifyItemSchema)),
};
