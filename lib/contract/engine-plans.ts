/** Plans, jobs, backups: the part of the engine's API that changes something. */
import { eventIterator, oc } from "@orpc/contract";
import { z } from "zod";
import { LIMITS } from "#chain/limits.ts";
import * as model from "#chain/model.ts";
import { BACKUP_MODES, PLAN_INTENTS, PLAN_MODES, STEP_PLACES } from "#chain/plan/model.ts";
import { verifyItemSchema } from "./agent-operations.ts";
import { bytes, checkpointName, diskTarget, hostName, isoTime, sha256Hex, uuid, vmId } from "./common.ts";
import { bundleSchema } from "./engine-bundle.ts";

const findingId = z.string().min(1).max(3_000);
const checkpointIds = z.array(checkpointName).min(1).max(LIMITS.checkpointsPerVm);

/** `params` by intent; everything has the default that most people want. */
export const planRequestInput = z.discriminatedUnion("intent", [
  z.strictObject({
    intent: z.literal("redefine"),
    params: z.strictObject({ mode: z.enum(PLAN_MODES).default("salvage") }).prefault({}),
  }),
  z.strictObject({
    intent: z.literal("heal"),
    params: z
      .strictObject({
        mode: z.enum(PLAN_MODES).default("salvage"),
        /** Absent: every finding that offers heal. */
        findings: z.array(findingId).min(1).max(LIMITS.checkpointsPerVm).optional(),
      })
      .prefault({}),
  }),
  z.strictObject({
    intent: z.literal("adopt"),
    params: z.strictObject({ checkpointIds: z.array(hostName.min(1)).min(1).max(LIMITS.checkpointsPerVm) }),
  }),
  z.strictObject({
    intent: z.literal("prune"),
    params: z.union([
      z.strictObject({ keepLast: z.int().min(1).max(LIMITS.checkpointsPerVm) }),
      z.strictObject({ olderThan: isoTime }),
      z.strictObject({ upTo: checkpointName }),
      z.strictObject({ ids: checkpointIds }),
    ]),
  }),
  z.strictObject({
    intent: z.literal("remove"),
    params: z
      .strictObject({
        checkpointIds: z.array(hostName.min(1)).max(LIMITS.checkpointsPerVm).default([]),
        bitmaps: z
          .array(z.strictObject({ disk: diskTarget, bitmap: hostName.min(1) }))
          .max(LIMITS.checkpointsPerVm)
          .default([]),
      })
      .refine(
        (value) => value.checkpointIds.length + value.bitmaps.length > 0,
        "name at least one checkpoint or bitmap",
      ),
  }),
  z.strictObject({
    intent: z.literal("backup"),
    params: z
      .strictObject({
        mode: z.enum(BACKUP_MODES).default("auto"),
        disks: z.array(diskTarget).min(1).max(LIMITS.disksPerVm).optional(),
        repository: z.string().min(1).max(LIMITS.pathLength).optional(),
      })
      .prefault({}),
  }),
  z.strictObject({
    intent: z.literal("repair-record"),
    params: z
      .strictObject({
        links: z.boolean().default(false),
        retireDisks: z.array(diskTarget).max(LIMITS.disksPerVm).default([]),
        acknowledge: z.array(findingId).max(LIMITS.checkpointsPerVm).default([]),
        closeBackup: z.boolean().default(false),
        abortJob: z.boolean().default(false),
      })
      .prefault({}),
  }),
]);
export type PlanRequestInput = z.infer<typeof planRequestInput>;

const verdictSchema = z.object({
  disk: z.string(),
  verdict: z.enum(model.VERDICTS),
  from: z.string().nullable(),
  estimatedBytes: bytes.nullable(),
  reason: z.string().nullable(),
});

export const PLAN_STATES = ["ready", "applied", "expired", "out-of-date"] as const;
export const planSchema = z.object({
  id: uuid,
  vmId,
  vmName: z.string(),
  /** The plan over several VMs that it is a part of. */
  groupId: uuid.nullable(),
  intent: z.enum(PLAN_INTENTS),
  params: z.record(z.string(), z.unknown()),
  tier: z.int().min(0).max(3),
  basis: z.object({
    recordRevision: z.int(),
    observationDigest: z.string(),
    observedAt: isoTime,
    hostId: uuid,
    hostName: z.string(),
    runtimeId: z.string().nullable(),
  }),
  consequences: z.array(z.string()),
  losses: z.array(z.object({ id: z.string(), text: z.string() })),
  costs: z.array(z.object({ disk: z.string(), now: verdictSchema, after: verdictSchema })),
  counts: z.object({
    define: z.int(),
    replace: z.int(),
    deleteCheckpoints: z.int(),
    deleteBitmaps: z.int(),
    recordChanges: z.int(),
    fullDisks: z.int(),
    incrementalDisks: z.int(),
  }),
  steps: z.array(
    z.object({
      n: z.int(),
      verb: z.string(),
      subject: z.string(),
      call: z.string(),
      place: z.enum(STEP_PLACES),
      reversible: z.boolean(),
    }),
  ),
  promises: z.array(z.string()),
  /** What must be typed to apply it, or null. */
  confirm: z.string().nullable(),
  /** The least role that may apply it. */
  role: z.enum(["support", "operator"]),
  state: z.enum(PLAN_STATES),
  /** Why it is out of date, by the newest read or by an attempt to apply it: what it stood on, and what is so now. */
  changes: z.array(z.object({ what: z.string(), was: z.string(), is: z.string() })),
  jobId: uuid.nullable(),
  createdBy: z.string(),
  createdAt: isoTime,
  expiresAt: isoTime,
});
export type PlanView = z.infer<typeof planSchema>;

export const JOB_STATES = ["queued", "running", "succeeded", "failed", "cancelled", "lost"] as const;
export const JOB_STEP_STATES = ["queued", "running", "succeeded", "failed", "skipped"] as const;
export const jobRowSchema = z.object({
  id: uuid,
  planId: uuid.nullable(),
  groupId: uuid.nullable(),
  vmId,
  vmName: z.string(),
  kind: z.enum(PLAN_INTENTS),
  state: z.enum(JOB_STATES),
  /** Who applied the plan; "driftline" when policy did. */
  actor: z.string(),
  reason: z.string().nullable(),
  createdAt: isoTime,
  startedAt: isoTime.nullable(),
  endedAt: isoTime.nullable(),
  stepsDone: z.int(),
  stepsTotal: z.int(),
  progress: z.object({ doneBytes: bytes, totalBytes: bytes.nullable() }).nullable(),
  /** Since when the host has not answered a job that is still running; null while it answers. */
  lostContactSince: isoTime.nullable(),
  cancelRequestedAt: isoTime.nullable(),
  error: z.string().nullable(),
});
export type JobRow = z.infer<typeof jobRowSchema>;

export const jobSchema = jobRowSchema.extend({
  steps: z.array(
    z.object({
      n: z.int(),
      verb: z.string(),
      subject: z.string(),
      call: z.string(),
      place: z.enum(STEP_PLACES),
      state: z.enum(JOB_STEP_STATES),
      startedAt: isoTime.nullable(),
      endedAt: isoTime.nullable(),
      /** Our explanation. */
      error: z.string().nullable(),
      /** The host's own words. */
      hostMessage: z.string().nullable(),
      /** What came of it in words, for instance "already there" or "metadata only". */
      outcome: z.string().nullable(),
    }),
  ),
  /** Per disk while a backup runs or after it. */
  disks: z.array(
    z.object({
      target: z.string(),
      mode: z.enum(["full", "incremental"]),
      bytes: bytes.nullable(),
      path: z.string().nullable(),
    }),
  ),
  /** What was observed afterwards; null: not yet, or it could not be read (then `error` says so). */
  proof: z
    .object({
      observedAt: isoTime,
      digest: z.string(),
      agreement: z.enum(model.AGREEMENTS),
      /** Promised findings that are gone, and those that still stand. */
      gone: z.array(z.string()),
      left: z.array(z.string()),
      /** Findings that were not there before. */
      appeared: z.array(z.string()),
    })
    .nullable(),
});
export type JobView = z.infer<typeof jobSchema>;

export const backupSchema = z.object({
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

const cursor = z.string().max(512).optional();
const limit = z.coerce.number().int().min(1).max(LIMITS.pageSize).default(50);
const lossIds = z.array(z.string().max(300)).max(LIMITS.checkpointsPerVm);
const applyInput = {
  confirm: z.string().max(LIMITS.vmNameLength).optional(),
  reason: z.string().max(1_000).optional(),
};

/** One plan with a part per VM. A VM without a plan has its refusals instead. */
export const planGroupSchema = z.object({
  id: uuid,
  intent: z.enum(PLAN_INTENTS),
  createdBy: z.string(),
  createdAt: isoTime,
  expiresAt: isoTime,
  /** What must be typed to apply it: the number of VMs, as "12 VMs". */
  confirm: z.string(),
  parts: z.array(
    z.object({
      vmId,
      vmName: z.string(),
      plan: planSchema.omit({ steps: true }).nullable(),
      refusals: z.array(z.object({ field: z.string().nullable(), code: z.string(), reason: z.string() })),
    }),
  ),
});
export type PlanGroup = z.infer<typeof planGroupSchema>;
export const BULK_VMS = LIMITS.bulkVms;

export const planRoutes = {
  create: oc
    .route({
      method: "POST",
      path: "/vms/{vmId}/plans",
      successStatus: 201,
      summary: "Compute a plan; changes nothing",
    })
    // Strict on both sides: a field is refused when neither knows it.
    .input(z.intersection(z.strictObject({ vmId }), planRequestInput))
    .output(planSchema),
  get: oc
    .route({ method: "GET", path: "/plans/{planId}", summary: "One plan; it stays readable for ever" })
    .input(z.strictObject({ planId: uuid }))
    .output(planSchema),
  /** Needs the header `Idempotency-Key`; the same key again answers with the same job. */
  apply: oc
    .route({ method: "POST", path: "/plans/{planId}/apply", successStatus: 202, summary: "Run a plan, at most once" })
    .input(
      z.strictObject({
        planId: uuid,
        ...applyInput,
        /** Ids of the losses that were read and accepted. */
        acknowledged: lossIds.optional(),
      }),
    )
    .output(jobRowSchema),
};
export const planGroupRoutes = {
  create: oc
    .route({ method: "POST", path: "/plan-groups", successStatus: 201, summary: "One plan with a part per VM" })
    .input(z.strictObject({ vmIds: z.array(vmId).min(1).max(BULK_VMS), request: planRequestInput }))
    .output(planGroupSchema),
  get: oc
    .route({ method: "GET", path: "/plan-groups/{groupId}", summary: "One plan over several VMs" })
    .input(z.strictObject({ groupId: uuid }))
    .output(planGroupSchema),
  apply: oc
    .route({
      method: "POST",
      path: "/plan-groups/{groupId}/apply",
      successStatus: 202,
      summary: "Run every part that can run",
    })
    .input(
      z.strictObject({
        groupId: uuid,
        ...applyInput,
        /** What was read and accepted, VM by VM: what one VM loses says nothing of another. */
        acknowledged: z
          .array(z.strictObject({ vmId, losses: lossIds }))
          .max(BULK_VMS)
          .optional(),
      }),
    )
    .output(
      z.object({
        parts: z.array(
          z.object({
            vmId,
            jobId: uuid.nullable(),
            refusal: z.object({ code: z.string(), reason: z.string() }).nullable(),
          }),
        ),
      }),
    ),
};
export const jobRoutes = {
  list: oc
    .route({ method: "GET", path: "/jobs", summary: "Jobs, newest first" })
    .input(
      z.strictObject({
        vmId: vmId.optional(),
        state: z.enum(JOB_STATES).optional(),
        /** Jobs of the parts of one plan over several VMs. */
        groupId: uuid.optional(),
        cursor,
        limit,
      }),
    )
    .output(z.object({ items: z.array(jobRowSchema), nextCursor: z.string().nullable(), total: z.int() })),
  get: oc
    .route({ method: "GET", path: "/jobs/{jobId}", summary: "One job with its steps, progress and proof" })
    .input(z.strictObject({ jobId: uuid }))
    .output(jobSchema),
  bundle: oc
    .route({ method: "GET", path: "/jobs/{jobId}/bundle", summary: "Support bundle of one job" })
    .input(z.strictObject({ jobId: uuid }))
    .output(bundleSchema),
  cancel: oc
    .route({
      method: "POST",
      path: "/jobs/{jobId}/cancel",
      summary: "Stop after the running step; a backup is aborted",
    })
    .input(z.strictObject({ jobId: uuid }))
    .output(jobSchema),
};
export const backupRoutes = {
  list: oc
    .route({ method: "GET", path: "/vms/{vmId}/backups", summary: "Backup history, kept" })
    .input(z.strictObject({ vmId, cursor, limit }))
    .output(z.object({ items: z.array(backupSchema), nextCursor: z.string().nullable(), total: z.int() })),
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
