/** Plans: what would be done, previewed, and applied at most once; for one VM and for several. */
import { oc } from "@orpc/contract";
import { z } from "zod";
import { LIMITS } from "#chain/limits.ts";
import * as model from "#chain/model.ts";
import { BACKUP_MODES, PLAN_INTENTS, PLAN_MODES, STEP_PLACES } from "#chain/plan/model.ts";
import { bytes, checkpointName, diskTarget, hostName, isoTime, uuid, vmId } from "./common.ts";
import { jobSchema } from "./engine-jobs.ts";
import { needsIdempotencyKey } from "./idempotency.ts";

const findingId = z.string().min(1).max(LIMITS.findingIdLength);
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

const PLAN_STATES = ["ready", "applied", "expired", "out-of-date"] as const;
const planSchema = z.object({
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

const lossIds = z.array(z.string().max(LIMITS.lossIdLength)).max(LIMITS.checkpointsPerVm);
const applyInput = {
  confirm: z.string().max(LIMITS.vmNameLength).optional(),
  reason: z.string().max(1_000).optional(),
};

/** One plan with a part per VM. A VM without a plan has its refusals instead. */
const planGroupSchema = z.object({
  id: uuid,
  intent: z.enum(PLAN_INTENTS),
  createdBy: z.string(),
  createdAt: isoTime,
  expiresAt: isoTime,
  /** What must be typed to apply it: the number of VMs, as "12 VMs"; of one alone what its plan asks for, or "1 VM". */
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
const BULK_VMS = LIMITS.bulkVms;

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
    .route({
      method: "POST",
      path: "/plans/{planId}/apply",
      successStatus: 202,
      summary: "Run a plan, at most once",
      spec: needsIdempotencyKey,
    })
    .input(
      z.strictObject({
        planId: uuid,
        ...applyInput,
        /** Ids of the losses that were read and accepted. */
        acknowledged: lossIds.optional(),
      }),
    )
    .output(jobSchema),
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
      spec: needsIdempotencyKey,
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
