/** Checks a wanted backup against what the host says, before anything is made. Shared by both drivers. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { isHealthy, viewBitmaps } from "#chain/bitmaps.ts";
import type { DiskObservation, Observation } from "#chain/model.ts";
import type { BeginBackupInput, HostError } from "#contract/agent-operations.ts";
import { invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { hostError, lostBackup } from "../host-error.ts";
import { TEMPORARY_CHECKPOINT } from "../operations/host-steps.ts";
import { checkFile, checkNewFile, isInside, type SafePath } from "./paths.ts";

type DiskInput = BeginBackupInput["disks"][number];
type Offence = { field: string; reason: string };

export type PreparedDisk = {
  target: string;
  mode: "full" | "incremental";
  base: string | null;
  file: SafePath;
  backing: SafePath | null;
  seen: DiskObservation;
  /** It can hold a bitmap, and so be in the checkpoint. */
  isCovered: boolean;
};

/** qcow2 of version 3; where the layers could not be read, the definition's word has to do and libvirt says the rest. */
function canHoldBitmap({ format, layers }: DiskObservation): boolean {
  return format === "qcow2" && (!layers.ok || layers.value[0]?.qcow2Compat !== "0.10");
}

const QCOW2_MAGIC = "514649fb";
async function isQcow2(path: string): Promise<boolean> {
  // It was a regular file when its path was checked; a FIFO in its place would keep whoever opens it waiting for ever.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  const file = await open(path, flags).catch(() => null);
  if (file === null) return false;
  try {
    if (!(await file.stat()).isFile()) return false;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.toString("hex") === QCOW2_MAGIC;
  } finally {
    await file.close();
  }
}

function modeOffences(disk: DiskInput, seen: DiskObservation | undefined): [keyof DiskInput, string][] {
  const { mode, base, backing } = disk;
  const found: [keyof DiskInput, string][] = [];
  if (seen === undefined) found.push(["target", "the VM has no such writable disk"]);
  if (mode === "full") {
    if (base !== null) found.push(["base", "a full backup starts from no checkpoint"]);
    if (backing !== null) found.push(["backing", "a full backup stands on no other file"]);
    return found;
  }
  if (base === null) found.push(["base", "an incremental backup starts from a checkpoint"]);
  if (backing === null) found.push(["backing", "an incremental backup stands on the restore point of its base"]);
  if (seen !== undefined && !canHoldBitmap(seen)) {
    found.push(["mode", `a disk of format ${seen.format} has no bitmaps: full backups only`]);
  }
  return found;
}

/**
 * Every offence of a request at once; nothing is made. `readMagic` false: files are not images (a simulated host).
 * @throws ProblemError invalid_input
 */
export async function prepareDisks(
  repositories: readonly string[],
  observation: Observation,
  input: BeginBackupInput,
  { readMagic = true }: { readMagic?: boolean } = {},
): Promise<PreparedDisk[]> {
  const offences: Offence[] = [];
  const prepared: PreparedDisk[] = [];
  const targets = new Set<string>();
  const files = new Set<string>();
  if (input.checkpointId === TEMPORARY_CHECKPOINT) {
    offences.push({ field: "checkpointId", reason: "this name is kept for the agent" });
  }
  for (const [i, disk] of input.disks.entries()) {
    const offend = (field: keyof DiskInput, reason: string) => offences.push({ field: `disks[${i}].${field}`, reason });
    const seen = observation.disks.find(({ target }) => target === disk.target);
    if (targets.has(disk.target)) offend("target", `'${disk.target}' comes twice`);
    targets.add(disk.target);
    for (const [field, reason] of modeOffences(disk, seen)) offend(field, reason);
    const file = await checkNewFile(repositories, disk.path);
    if (!file.ok) offend("path", file.reason);
    else if (files.has(file.at.real)) offend("path", "comes twice");
    else if ([...files].some((other) => isInside(file.at.real, other) || isInside(other, file.at.real))) {
      offend("path", "is inside another disk's file, or that one inside this");
    } else files.add(file.at.real);
    const backing = disk.backing === null ? null : await checkFile(repositories, disk.backing);
    if (backing !== null && !backing.ok) offend("backing", backing.reason);
    if (backing?.ok && readMagic && !(await isQcow2(backing.at.real))) offend("backing", "is not a qcow2 image");
    if (seen === undefined || !file.ok || (backing !== null && !backing.ok)) continue;
    const { target, mode, base } = disk;
    const isCovered = canHoldBitmap(seen);
    prepared.push({ target, mode, base, file: file.at, backing: backing?.at ?? null, seen, isCovered });
  }
  if (offences.length > 0) throw invalidInput(offences);
  return prepared;
}

/** Why a checkpoint cannot be the base of this disk; null: nothing speaks against it. */
function whyBroken({ seen, base }: PreparedDisk, { checkpoints }: Observation): string | null {
  if (base === null) return null;
  const listed = checkpoints.ok ? checkpoints.value.find(({ id }) => id === base) : undefined;
  if (checkpoints.ok && listed === undefined) return `libvirt lists no checkpoint '${base}'`;
  const bitmap = listed?.disks.find(({ target }) => target === seen.target)?.bitmap;
  if (listed !== undefined && bitmap === undefined) return `checkpoint '${base}' does not cover it`;
  if (bitmap === undefined || !seen.layers.ok) return null;
  const view = viewBitmaps(seen.target, seen.layers.value).get(bitmap);
  if (view === undefined) return `bitmap '${bitmap}' is missing`;
  return isHealthy(view) ? null : `bitmap '${bitmap}' is ${view.state}`;
}

/**
 * What keeps the job from being begun: nothing was made.
 * @throws ProblemError `conflict`: another run than expected; `vm_busy`: a job is on the domain
 */
export function findObstacle(
  observation: Observation,
  disks: readonly PreparedDisk[],
  { vmId, checkpointId, expect }: BeginBackupInput,
): HostError | null {
  const { runtimeId, job, power, checkpoints } = observation;
  if (expect !== undefined && expect.runtimeId !== runtimeId) {
    const detail = "The VM was started or stopped since the caller looked: this is another run of it.";
    const hostMessage = `expected ${expect.runtimeId ?? "not running"}, is ${runtimeId ?? "not running"}`;
    throw new ProblemError("conflict", detail, { subject: vmId, hostMessage });
  }
  if (power !== "running" && power !== "paused") {
    return hostError("not-running", "Only a VM that runs can be backed up by libvirt.", { hostMessage: power });
  }
  if (job.ok && job.value.operation === "lost-backup") return lostBackup();
  if (job.ok && job.value.operation !== "none") {
    const seconds = Math.round(job.value.elapsedMs / 1000);
    const detail = `A ${job.value.operation} job holds this VM for ${seconds} s now.`;
    throw new ProblemError("vm_busy", detail, { subject: vmId });
  }
  if (checkpoints.ok && checkpoints.value.some(({ id }) => id === checkpointId)) {
    return hostError("already-exists", `libvirt lists a checkpoint '${checkpointId}' already.`);
  }
  const broken = disks.flatMap((disk) => {
    const why = whyBroken(disk, observation);
    return why === null ? [] : [{ target: disk.target, why }];
  });
  return broken.length === 0 ? null : inconsistentBases(broken);
}

/** Bases that no incremental can start from, by disk. */
export function inconsistentBases(broken: { target: string; why: string }[], hostMessage: string | null = null) {
  const words = broken.map(({ target, why }) => `${target}: ${why}`).join("; ");
  const error = hostError("checkpoint-inconsistent", `No incremental backup is possible. ${words}.`, { hostMessage });
  return { ...error, disks: broken.map(({ target }) => target) };
}
