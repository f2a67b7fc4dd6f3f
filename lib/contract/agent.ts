/** The agent's API, `/v1`: one agent a host, complete without the engine. */
import { eventIterator, oc } from "@orpc/contract";
import { z } from "zod";
import { LIMITS } from "#chain/limits.ts";
import * as model from "#chain/model.ts";
import { PLAN_INTENTS } from "#chain/plan/model.ts";
import { agentOperations } from "./agent-operations.ts";
import { agentPairing } from "./agent-pairing.ts";
import {
  bucketsQuery,
  bytes,
  checkpointName,
  dirtyCountSchema,
  diskTarget,
  extentsSchema,
  findingSchema,
  hostName,
  isoTime,
  observationSchema,
  observeErrorSchema,
  vmId,
} from "./common.ts";

/** Header of every answer: when the agent made it, by its own clock. */
export const AGENT_TIME = "x-agent-time";

export const hostInfoSchema = z.object({
  name: z.string(),
  /** "simulated" is named in a permanent banner on every page. */
  kind: z.enum(["libvirt", "simulated"]),
  agentVersion: z.string(),
  libvirtVersion: z.string().nullable(),
  qemuVersion: z.string().nullable(),
  libvirtUri: z.string(),
  /** The agent's clock, to tell skew. */
  now: isoTime,
  connection: z.object({
    state: z.enum(["connected", "disconnected", "connecting"]),
    since: isoTime,
    error: observeErrorSchema.nullable(),
  }),
  capabilities: z.object({
    qmp: z.boolean(),
    coldImages: z.boolean(),
    coldExtents: z.boolean(),
    liveExtents: z.boolean(),
    backups: z.boolean(),
  }),
  /** What is switched off here and why, in words. */
  switchedOff: z.array(z.object({ what: z.string(), why: z.string() })),
  repositories: z.array(z.string()),
  limits: z.record(z.string(), z.number()),
});
export type HostInfo = z.infer<typeof hostInfoSchema>;

const domainSummarySchema = z.object({
  vmId,
  name: z.string(),
  power: observationSchema.shape.power,
  persistent: z.boolean(),
  runtimeId: z.string().nullable(),
  disks: z.array(z.object({ target: z.string(), source: z.string().nullable(), format: z.string() })),
});
export type DomainSummary = z.infer<typeof domainSummarySchema>;

/** One line of the observe stream. `done` closes it: without it the stream was cut off and what is missing is unknown. */
export const observeItemSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("observation"), observation: observationSchema }),
  z.object({
    type: z.literal("unchanged"),
    vmId,
    digest: z.string(),
    countsDigest: z.string(),
    observedAt: isoTime,
    /** null: the counts are the known ones too. */
    counts: z.array(dirtyCountSchema).nullable(),
  }),
  z.object({ type: z.literal("failed"), vmId, at: isoTime, error: observeErrorSchema }),
  z.object({ type: z.literal("absent"), vmId, at: isoTime }),
  z.object({ type: z.literal("done"), at: isoTime, count: z.int() }),
]);
export type ObserveItem = z.infer<typeof observeItemSchema>;

/** virDomainBlockJobType and how such a job ended, in libvirt's order. */
export const BLOCK_JOB_TYPES = ["unknown", "pull", "copy", "commit", "active-commit", "backup"] as const;
export const BLOCK_JOB_OUTCOMES = ["completed", "failed", "canceled"] as const;

export const hostEventSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("domain"),
    vmId,
    name: z.string(),
    event: z.enum([
      "defined",
      "undefined",
      "renamed",
      "started",
      "stopped",
      "crashed",
      "suspended",
      "resumed",
      "migrated-in",
      "migrated-out",
      "job-ended",
      "block-job-ended",
      "other",
    ]),
    detail: z.string().nullable(),
    /** Of `block-job-ended`: which disk, by its target, and what became of it. */
    blockJob: z
      .object({ disk: z.string(), type: z.enum(BLOCK_JOB_TYPES), outcome: z.enum(BLOCK_JOB_OUTCOMES) })
      .optional(),
    at: isoTime,
  }),
  z.object({
    type: z.literal("connection"),
    state: z.enum(["connected", "disconnected"]),
    reason: z.string().nullable(),
    at: isoTime,
  }),
  z.object({ type: z.literal("heartbeat"), at: isoTime }),
]);
export type HostEvent = z.infer<typeof hostEventSchema>;

const recordedCheckpointInput = z.strictObject({
  id: checkpointName,
  parentId: checkpointName.nullable(),
  createdAt: isoTime,
  /** `granularity`: what the bitmap was made with, where the caller knows it; another one now is another bitmap. */
  disks: z.array(z.strictObject({ target: diskTarget, granularity: bytes.min(1).optional() })).max(LIMITS.disksPerVm),
  /** Absent: `active`. One that is being made or deleted is not expected on the host, and is no stranger there. */
  state: z.enum(model.RECORD_STATES).optional(),
  /** How the backup that made it ended; absent: taken as finished. */
  backup: z.enum(model.BACKUP_STATES).optional(),
});
export type RecordedCheckpointInput = z.infer<typeof recordedCheckpointInput>;

/** What the caller is changing on the VM at this moment: it is in flight, and no fault. */
const inFlightInput = z.strictObject({
  kind: z.enum(PLAN_INTENTS),
  startedAt: isoTime,
  checkpointIds: z.array(hostName).max(LIMITS.checkpointsPerVm),
  disks: z.array(z.string().max(LIMITS.targetLength)).max(LIMITS.disksPerVm),
});

export const agentContract = {
  host: oc
    .route({ method: "GET", path: "/host", summary: "Name, versions, capabilities and limits of this host" })
    .input(z.strictObject({}).optional())
    .output(hostInfoSchema),
  domains: oc
    .route({ method: "GET", path: "/domains", summary: "All domains with their disks" })
    .input(z.strictObject({}).optional())
    .output(z.object({ items: z.array(domainSummarySchema), at: isoTime })),
  observe: oc
    .route({ method: "POST", path: "/observe", summary: "One complete read of each domain, streamed" })
    .input(
      z.strictObject({
        /** Absent: all. A domain that the host does not know comes back as `absent`. */
        domains: z.array(vmId).max(LIMITS.domainsPerObserve).optional(),
        /**
         * What the caller has, `digest` or `digest:countsDigest`: an unchanged domain comes back as its digest only,
         * with its dirty counts when just these have moved.
         */
        known: z.record(vmId, z.string().max(160)).optional(),
      }),
    )
    .output(eventIterator(observeItemSchema)),
  validate: oc
    .route({
      method: "POST",
      path: "/domains/{vmId}/checkpoints/validate",
      summary: "The complete set of checkpoints against libvirt's metadata and the bitmaps; unknown bitmaps too",
    })
    .input(
      z.strictObject({
        vmId,
        checkpoints: z.array(recordedCheckpointInput).max(LIMITS.checkpointsPerVm),
        /** Disks that were detached for good: nobody expects them. */
        retiredDisks: z.array(diskTarget).max(LIMITS.checkpointsPerVm).optional(),
        inFlight: z.array(inFlightInput).max(16).optional(),
        /** The backup that the caller has not seen end. */
        runningBackup: z.strictObject({ checkpointId: checkpointName.nullable(), startedAt: isoTime }).optional(),
      }),
    )
    .output(
      z.object({
        /** null: cannot tell, see `observation`. */
        valid: z.boolean().nullable(),
        findings: z.array(findingSchema),
        observedAt: isoTime,
        unknown: z.array(z.object({ disk: z.string().nullable(), error: observeErrorSchema })),
      }),
    ),
  extents: oc
    .route({
      method: "GET",
      path: "/domains/{vmId}/disks/{target}/bitmaps/{name}/extents",
      summary: "Dirty extents of one bitmap, in at most 2,048 buckets",
    })
    .input(z.strictObject({ vmId, target: diskTarget, name: hostName.min(1), buckets: bucketsQuery }))
    .output(extentsSchema),
  events: oc
    .route({ method: "GET", path: "/events", summary: "Domain lifecycle, migration and job events as they happen" })
    .input(z.strictObject({}).optional())
    .output(eventIterator(hostEventSchema)),
  ...agentOperations,
  ...agentPairing,
};
