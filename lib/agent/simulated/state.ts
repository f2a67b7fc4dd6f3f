/** The state file of a simulated host: what `sim:///path/to/state.json` points to. */
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { OBSERVE_ERROR_CODES } from "#chain/model.ts";
import { hostCheckpointSchema, hostJobSchema, layerBitmapSchema, vmId } from "#contract/common.ts";
import { makeFleet } from "./fleet.ts";

const simBitmapSchema = layerBitmapSchema.extend({
  /** Always known here; an observation of a stopped domain does not say it, as an image does not. */
  dirtyBytes: z.int().min(0),
  /** Stored in the image by a clean stop. One that is not vanishes when the process is killed. */
  isStored: z.boolean(),
});
const simDiskSchema = z.strictObject({
  target: z.string(),
  source: z.string(),
  format: z.string(),
  virtualSize: z.int().min(0),
  device: z.string(),
  inode: z.string(),
  layers: z.array(
    z.strictObject({
      path: z.string(),
      format: z.string(),
      qcow2Compat: z.string().nullable(),
      bitmaps: z.array(simBitmapSchema),
    }),
  ),
  /** Counts the writes to it: its content, as far as a simulation has one. */
  writes: z.int().min(0).optional(),
  /** Reading its layers fails with this. */
  failure: z.enum(OBSERVE_ERROR_CODES).nullable(),
});
/** The domain's last backup job, as libvirt and the agent's note would tell of it together. */
const simBackupSchema = z.strictObject({
  state: z.enum(["running", "finished", "failed", "aborted"]),
  checkpointId: z.string().nullable(),
  run: z.int(),
  startedAt: z.int(),
  endedAt: z.int().nullable(),
  totalBytes: z.int(),
  disks: z.array(
    z.strictObject({ target: z.string(), mode: z.enum(["full", "incremental"]), path: z.string(), real: z.string() }),
  ),
});
const simDomainSchema = z.strictObject({
  vmId,
  name: z.string(),
  power: z.enum(["running", "paused", "shut-off"]),
  persistent: z.boolean(),
  /** Counts its starts. */
  run: z.int().min(0),
  checkpoints: z.array(hostCheckpointSchema),
  disks: z.array(simDiskSchema),
  job: hostJobSchema.nullable(),
  backup: simBackupSchema.optional(),
  /** Reading the domain as a whole fails with this. */
  failure: z.enum(OBSERVE_ERROR_CODES).nullable(),
  /** How the last change of power came about, where it is not plain: "migrated", "crashed". */
  cause: z.enum(["migrated", "crashed"]).nullable(),
});
const stateSchema = z.strictObject({
  version: z.literal(1),
  connected: z.boolean().default(true),
  /** How long it takes over each call that changes something. */
  changeMs: z.int().min(0).max(60_000).optional(),
  /** How long each backup job runs. */
  backupMs: z.int().min(0).max(3_600_000).optional(),
  /** So many made-up domains; `domains` replaces those of the same id and adds to them. */
  fleet: z
    .strictObject({
      vms: z.int().min(0).max(20_000),
      checkpoints: z.int().min(0).max(2_000).default(8),
      disks: z.int().min(1).max(16).default(2),
      seed: z.int().default(1),
    })
    .optional(),
  domains: z.array(simDomainSchema).default([]),
  removed: z.array(vmId).default([]),
});
export type SimState = z.infer<typeof stateSchema>;
export type SimDomain = z.infer<typeof simDomainSchema>;
export type SimDisk = z.infer<typeof simDiskSchema>;
export type SimBackup = z.infer<typeof simBackupSchema>;
export type SimBitmap = z.infer<typeof simBitmapSchema>;

/** Path of a `sim:///…` URI; null for any other. */
export function simPath(uri: string): string | null {
  return uri.startsWith("sim:///") ? decodeURIComponent(uri.slice("sim://".length)) : null;
}

/** @throws when the file is missing or its shape is wrong; the message names the place. */
export function readState(path: string): SimState {
  const result = stateSchema.safeParse(JSON.parse(readFileSync(path, "utf8")));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new Error(`${path}: ${issue?.path.join(".")}: ${issue?.message}`);
}

/** Replaces the file in one step: a reader sees the old state or the new one. */
export function writeState(path: string, state: z.input<typeof stateSchema>): void {
  writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Changes whenever the file was replaced. */
export function stateStamp(path: string): string {
  const { ino, mtimeNs, size } = statSync(path, { bigint: true });
  return `${ino}-${mtimeNs}-${size}`;
}

/** All domains of a state, by id. */
export function domainsOf(state: SimState): Map<string, SimDomain> {
  const domains = new Map<string, SimDomain>();
  if (state.fleet !== undefined) for (const domain of makeFleet(state.fleet)) domains.set(domain.vmId, domain);
  for (const domain of state.domains) domains.set(domain.vmId, domain);
  for (const id of state.removed) domains.delete(id);
  return domains;
}
