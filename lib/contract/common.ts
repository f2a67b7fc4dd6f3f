/** Schemas that both APIs share. The types of `lib/chain` are the truth; these check outside values against them. */
import { z } from "zod";
import { CHECKPOINT_NAME, DISK_TARGET, LIMITS, VM_ID } from "#chain/limits.ts";
import * as model from "#chain/model.ts";

export const isoTime = z.iso.datetime({ offset: true });
export const bytes = z.int().min(0);
export const vmId = z.string().regex(VM_ID, "a VM id is a libvirt UUID in lower case");
export const uuid = z.uuid();
/** A checkpoint's name as we let it in: what libvirt and QEMU both take. */
export const checkpointName = z
  .string()
  .min(1)
  .max(LIMITS.checkpointNameLength, `a checkpoint's name has at most ${LIMITS.checkpointNameLength} characters`)
  .regex(CHECKPOINT_NAME, "letters, digits, '_', '-' and '.', and no leading dot");
/** A name as a host may give it: anything libvirt or QEMU ever let through. */
export const hostName = z.string().max(LIMITS.bitmapNameLength);
export const diskTarget = z.string().regex(DISK_TARGET, "a disk's target as libvirt names it, for instance vda");
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, "64 lower-case hex digits (SHA-256)");

export const observeErrorSchema = z.object({
  code: z.enum(model.OBSERVE_ERROR_CODES),
  message: z.string(),
  hostMessage: z.string().nullable(),
  retryable: z.boolean(),
}) satisfies z.ZodType<model.ObserveError>;

/** `{ok:true, value}` or `{ok:false, error}`: a failed read has no value that could be mistaken for an empty one. */
function readOf<T extends z.ZodType>(value: T) {
  return z.discriminatedUnion("ok", [
    z.object({ ok: z.literal(true), value }),
    z.object({ ok: z.literal(false), error: observeErrorSchema }),
  ]);
}

export const hostCheckpointSchema = z.object({
  id: hostName,
  parentId: hostName.nullable(),
  createdAt: isoTime,
  current: z.boolean(),
  hasDisksElement: z.boolean(),
  disks: z.array(z.object({ target: z.string(), bitmap: z.string() })),
}) satisfies z.ZodType<model.HostCheckpoint>;

export const layerBitmapSchema = z.object({
  name: z.string(),
  recording: z.boolean(),
  busy: z.boolean(),
  persistent: z.boolean(),
  inconsistent: z.boolean(),
  dirtyBytes: bytes.nullable(),
  granularity: bytes,
}) satisfies z.ZodType<model.LayerBitmap>;

const diskLayerSchema = z.object({
  depth: z.int().min(0),
  path: z.string(),
  format: z.string(),
  qcow2Compat: z.string().nullable(),
  bitmaps: z.array(layerBitmapSchema),
}) satisfies z.ZodType<model.DiskLayer>;

export const imageIdentitySchema = z.object({
  path: z.string(),
  device: z.string().nullable(),
  inode: z.string().nullable(),
  size: bytes.nullable(),
}) satisfies z.ZodType<model.ImageIdentity>;

const diskObservationSchema = z.object({
  target: z.string(),
  source: z.string().nullable(),
  format: z.string(),
  virtualSize: bytes.nullable(),
  identity: imageIdentitySchema.nullable(),
  layers: readOf(z.array(diskLayerSchema)),
}) satisfies z.ZodType<model.DiskObservation>;

export const hostJobSchema = z.object({
  operation: z.enum(["none", "backup", "lost-backup", "migration", "snapshot", "save", "dump", "other"]),
  elapsedMs: z.number(),
  doneBytes: bytes.nullable(),
  totalBytes: bytes.nullable(),
}) satisfies z.ZodType<model.HostJob>;

export const observationSchema = z.object({
  vmId,
  name: z.string(),
  power: z.enum(model.POWERS),
  persistent: z.boolean(),
  runtimeId: z.string().nullable(),
  observedAt: isoTime,
  source: z.enum(["qmp", "image"]),
  digest: z.string(),
  countsDigest: z.string(),
  checkpoints: readOf(z.array(hostCheckpointSchema)),
  disks: z.array(diskObservationSchema),
  job: readOf(hostJobSchema),
}) satisfies z.ZodType<model.Observation>;

export const dirtyCountSchema = z.object({
  target: z.string(),
  bitmap: z.string(),
  layerPath: z.string(),
  dirtyBytes: bytes,
  granularity: bytes,
}) satisfies z.ZodType<model.DirtyCount>;

export const findingSchema = z.object({
  id: z.string(),
  kind: z.enum(model.FINDING_KINDS),
  severity: z.enum(model.SEVERITIES),
  subject: z.object({
    checkpointId: z.string().nullable(),
    disk: z.string().nullable(),
    bitmap: z.string().nullable(),
  }),
  reason: z.string().nullable(),
  evidence: z.object({
    record: z.string().nullable(),
    metadata: z.string().nullable(),
    bitmap: z.string().nullable(),
    observedAt: isoTime.nullish(),
    source: z.enum(["qmp", "image"]).nullish(),
  }),
  explanation: z.string(),
  consequence: z.string(),
  remedies: z.array(z.enum(model.REMEDIES)),
  owner: z.string().nullable(),
  acknowledged: z.boolean(),
}) satisfies z.ZodType<model.Finding>;

/** One dirty range of a disk's address space, for the strip: `dirtyBytes` of `lengthBytes` from `offset` are dirty. */
export const extentsSchema = z.object({
  disk: z.string(),
  bitmap: z.string(),
  source: z.enum(["nbd-cold", "backup-live"]),
  observedAt: isoTime,
  virtualSize: bytes,
  granularity: bytes,
  dirtyBytes: bytes,
  extentCount: z.int().min(0),
  bucketBytes: bytes,
  buckets: z.array(z.object({ offset: bytes, lengthBytes: bytes, dirtyBytes: bytes, extents: z.int().min(0) })),
});
export type Extents = z.infer<typeof extentsSchema>;
export const bucketsQuery = z.coerce.number().int().min(1).max(LIMITS.extentBuckets).default(512);
