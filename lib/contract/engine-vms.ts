/** VMs: fleet rows, one VM with its three witnesses, the record, findings and dirty counts. */
import { oc } from "@orpc/contract";
import { z } from "zod";
import { LIMITS } from "#chain/limits.ts";
import * as model from "#chain/model.ts";
import {
  bucketsQuery,
  bytes,
  checkpointName,
  diskTarget,
  extentsSchema,
  findingSchema,
  hostCheckpointSchema,
  hostName,
  imageIdentitySchema,
  isoTime,
  observeErrorSchema,
  uuid,
  vmId,
} from "./common.ts";
import { bundleSchema } from "./engine-bundle.ts";
import { cursor, limit, page } from "./paging.ts";

/** The three independent axes of a VM, never merged. */
const axesSchema = z.object({
  agreement: z.enum(model.AGREEMENTS),
  nextBackup: z.enum(model.NEXT_BACKUPS),
  freshness: z.enum(model.FRESHNESSES),
});

const jobRefSchema = z.object({ id: z.string(), kind: z.string(), startedAt: isoTime });

const vmRowSchema = z.object({
  id: vmId,
  name: z.string(),
  hostId: uuid.nullable(),
  hostName: z.string().nullable(),
  simulated: z.boolean(),
  power: z.enum(model.POWERS),
  axes: axesSchema,
  /** What the newest complete read said, whatever its age: to be shown as the past, never as the present. */
  lastKnown: axesSchema.pick({ agreement: true, nextBackup: true }),
  /** Last complete observation; null: never. */
  observedAt: isoTime.nullable(),
  /** Last attempt that failed after it, if any. */
  error: observeErrorSchema.nullable(),
  kinds: z.array(z.object({ kind: z.enum(model.FINDING_KINDS), severity: z.enum(model.SEVERITIES), count: z.int() })),
  checkpoints: z.int(),
  disks: z.int(),
  lastBackup: z
    .object({ kind: z.enum(["full", "incremental", "mixed"]), bytes: bytes.nullable(), at: isoTime })
    .nullable(),
  job: jobRefSchema.nullable(),
});
export type VmRow = z.infer<typeof vmRowSchema>;

const vmSchema = vmRowSchema.extend({
  runtimeId: z.string().nullable(),
  firstSeenAt: isoTime,
  revision: z.int(),
  diskList: z.array(
    z.object({
      id: uuid,
      target: z.string(),
      source: z.string().nullable(),
      format: z.string(),
      virtualSize: bytes.nullable(),
      identity: imageIdentitySchema.nullable(),
      firstSeenAt: isoTime,
      retiredAt: isoTime.nullable(),
    }),
  ),
});
export type Vm = z.infer<typeof vmSchema>;

const recordCheckpointSchema = z.object({
  id: z.string(),
  parentId: z.string().nullable(),
  createdAt: isoTime,
  state: z.enum(model.RECORD_STATES),
  disks: z.array(z.string()),
  origin: z.enum(model.RECORD_ORIGINS),
  backup: z.enum(model.BACKUP_STATES).nullable(),
});

const diskBitmapSchema = z.object({
  name: z.string(),
  state: z.enum(model.BITMAP_STATES),
  dirtyBytes: bytes.nullable(),
  granularity: bytes,
  layer: z.string(),
}) satisfies z.ZodType<model.DiskBitmap>;

const chainFindingSchema = findingSchema.extend({
  since: isoTime,
  /** What each witness said, when that was read and from where: older than `host.observedAt` where it was not read since. */
  evidence: findingSchema.shape.evidence.extend({
    observedAt: isoTime.nullable(),
    source: z.enum(["qmp", "image"]).nullable(),
  }),
});
export type ChainFinding = z.infer<typeof chainFindingSchema>;

const diskVerdictSchema = z.object({
  disk: z.string(),
  verdict: z.enum(model.VERDICTS),
  from: z.string().nullable(),
  estimatedBytes: bytes.nullable(),
  reason: z.string().nullable(),
  /** Verdict of the newest complete read when nothing newer is known (`verdict` is then unknown); else null. */
  lastKnown: z.enum(model.VERDICTS).nullable(),
  /**
   * Whether a finished backup of `from` with a file of this disk is recorded here. False: another manager made it, or its
   * files are gone, so a backup started here takes an older base or this disk in full. null: there is no `from`.
   */
  isBaseBackedUp: z.boolean().nullable(),
}) satisfies z.ZodType<model.DiskVerdict>;

const chainSchema = z.object({
  vm: z.object({
    id: vmId,
    name: z.string(),
    hostId: uuid.nullable(),
    hostName: z.string().nullable(),
    simulated: z.boolean(),
    power: z.enum(model.POWERS),
  }),
  record: z.object({ revision: z.int(), checkpoints: z.array(recordCheckpointSchema) }),
  /** The last known read. `status` failed: `error` is why the newest attempt gave nothing; what stands here is older. */
  host: z.object({
    status: z.enum(["observed", "failed", "never"]),
    observedAt: isoTime.nullable(),
    /** When the newest attempt was made, whether it worked or not. */
    triedAt: isoTime.nullable(),
    source: z.enum(["qmp", "image"]).nullable(),
    runtimeId: z.string().nullable(),
    digest: z.string().nullable(),
    /** null: libvirt's list could not be read, which is not "no checkpoints". */
    checkpoints: z.array(hostCheckpointSchema.omit({ current: true, hasDisksElement: true })).nullable(),
    disks: z.array(
      z.object({
        target: z.string(),
        source: z.string().nullable(),
        format: z.string(),
        virtualSize: bytes.nullable(),
        identity: imageIdentitySchema.nullable(),
        /** null: this disk's bitmaps could not be read; `error` says why. */
        bitmaps: z.array(diskBitmapSchema).nullable(),
        error: observeErrorSchema.nullable(),
      }),
    ),
    error: observeErrorSchema.nullable(),
  }),
  findings: z.array(chainFindingSchema),
  nextBackup: z.array(diskVerdictSchema),
  agreement: z.enum(model.AGREEMENTS),
  freshness: z.enum(model.FRESHNESSES),
});
export type Chain = z.infer<typeof chainSchema>;

const countMap = <K extends string>(keys: readonly [K, ...K[]]) => z.record(z.enum(keys), z.int());

const vmQuery = z.strictObject({
  q: z.string().max(LIMITS.searchLength).optional(),
  host: uuid.optional(),
  agreement: z.enum(model.AGREEMENTS).optional(),
  nextBackup: z.enum(model.NEXT_BACKUPS).optional(),
  freshness: z.enum(model.FRESHNESSES).optional(),
  kind: z.enum(model.FINDING_KINDS).optional(),
  sort: z
    .enum(["name", "-name", "severity", "host", "observed", "-observed", "checkpoints", "-checkpoints"])
    .default("name"),
  cursor,
  limit,
});
export type VmQuery = z.infer<typeof vmQuery>;

export const registerCheckpointInput = z.strictObject({
  vmId,
  id: checkpointName,
  parentId: checkpointName.nullable(),
  createdAt: isoTime,
  disks: z.array(diskTarget).min(1).max(LIMITS.disksPerVm),
});

export const vmRoutes = {
  list: oc
    .route({ method: "GET", path: "/vms", summary: "Fleet rows and counts per axis" })
    .input(vmQuery)
    .output(
      page(vmRowSchema).extend({
        /** Over the whole fleet, the other filters applied. */
        counts: z.object({
          agreement: countMap(model.AGREEMENTS),
          nextBackup: countMap(model.NEXT_BACKUPS),
          freshness: countMap(model.FRESHNESSES),
          kind: z.partialRecord(z.enum(model.FINDING_KINDS), z.int()),
        }),
      }),
    ),
  get: oc
    .route({ method: "GET", path: "/vms/{vmId}", summary: "One VM: host, power, axes, disks, current job" })
    .input(z.strictObject({ vmId }))
    .output(vmSchema),
  chain: oc
    .route({ method: "GET", path: "/vms/{vmId}/chain", summary: "The three witnesses together" })
    .input(z.strictObject({ vmId }))
    .output(chainSchema),
  observe: oc
    .route({ method: "POST", path: "/vms/{vmId}/observe", summary: "Read the host now; answers as chain" })
    .input(z.strictObject({ vmId }))
    .output(chainSchema),
  validate: oc
    .route({ method: "POST", path: "/vms/{vmId}/validate", summary: "Validate the complete set; changes nothing" })
    .input(z.strictObject({ vmId }))
    .output(
      z.object({
        valid: z.boolean().nullable(),
        findings: z.array(findingSchema),
        observedAt: isoTime.nullable(),
        unknown: z.array(z.object({ disk: z.string().nullable(), error: observeErrorSchema })),
      }),
    ),
  checkpoints: oc
    .route({ method: "GET", path: "/vms/{vmId}/checkpoints", summary: "The record, in topological order" })
    .input(z.strictObject({ vmId, cursor, limit }))
    .output(page(recordCheckpointSchema)),
  registerCheckpoint: oc
    .route({
      method: "POST",
      path: "/vms/{vmId}/checkpoints",
      successStatus: 201,
      summary: "Register a checkpoint that another manager made",
    })
    .input(registerCheckpointInput)
    .output(recordCheckpointSchema),
  findings: oc
    .route({ method: "GET", path: "/vms/{vmId}/findings", summary: "Findings with their history, newest first" })
    .input(z.strictObject({ vmId, cursor, limit }))
    .output(page(findingSchema.extend({ since: isoTime, endedAt: isoTime.nullable() }))),
  extents: oc
    .route({
      method: "GET",
      path: "/vms/{vmId}/disks/{target}/bitmaps/{name}/extents",
      summary: "Dirty extents of one bitmap",
    })
    .input(z.strictObject({ vmId, target: diskTarget, name: hostName.min(1), buckets: bucketsQuery }))
    .output(extentsSchema),
  bundle: oc
    .route({ method: "GET", path: "/vms/{vmId}/bundle", summary: "Support bundle of one VM" })
    .input(z.strictObject({ vmId }))
    .output(bundleSchema),
  samples: oc
    .route({
      method: "GET",
      path: "/vms/{vmId}/samples",
      summary: "Dirty counts over time, newest rows first",
      description:
        "Within one run and one hour a bitmap has one row, its newest; a count that fell has one of its own. In the order in which the rows were begun.",
    })
    .input(z.strictObject({ vmId, disk: diskTarget.optional(), bitmap: hostName.optional(), cursor, limit }))
    .output(
      page(
        z.object({
          disk: z.string(),
          bitmap: z.string(),
          layer: z.string(),
          at: isoTime,
          dirtyBytes: bytes,
          granularity: bytes,
          runtimeId: z.string().nullable(),
        }),
      ),
    ),
};
