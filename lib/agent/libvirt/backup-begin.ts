/** Begins a push backup: checks, makes the files, notes what is about to be asked, asks, and takes back what was refused. */
import { setTimeout as sleep } from "node:timers/promises";
import type { BeginBackupInput, CurrentBackup } from "#contract/agent-operations.ts";
import { ProblemError } from "#contract/problem.ts";
import { MadeFiles } from "../backups/files.ts";
import type { BackupNote } from "../backups/note.ts";
import { judge } from "../backups/outcome.ts";
import { findObstacle, inconsistentBases, type PreparedDisk, prepareDisks } from "../backups/request.ts";
import { HostFailure, observeError } from "../failure.ts";
import { hostError, toHostError } from "../host-error.ts";
import { readImage } from "../qemu/images.ts";
import { newCheckpointXml, pushXml } from "./backup-push.ts";
import { failed } from "./backup-views.ts";
import { type BackupWatch, type Place, toSight } from "./backup-watch.ts";
import type { CallPool } from "./call-pool.ts";
import { CallFailure } from "./call-process.ts";
import type { CallOps } from "./ipc.ts";
import { removeLeftHelpers } from "./left-helpers.ts";
import { observeDomain } from "./observe.ts";

/** libvirt itself gives up on its lock after 30 s. */
export const CHANGE_DEADLINE_MS = 40_000;
const REAP_EVERY_MS = 1_000;
const REAP_FOR_MS = 120_000;

export type BackupParts = { pool: CallPool; watch: BackupWatch; repositories: readonly string[]; qmp: boolean };
type Owner = NonNullable<CallOps["owner"]["output"]>;
type Undo = () => Promise<void>;

/**
 * null: libvirt has begun it. Otherwise why it did not: then neither files nor checkpoint of it are left.
 * @throws ProblemError invalid_input, not_found, conflict, vm_busy; HostFailure: nothing is known of how far it came
 */
export async function beginBackup(parts: BackupParts, input: BeginBackupInput): Promise<CurrentBackup | null> {
  const { pool, watch, repositories, qmp } = parts;
  const { vmId } = input;
  const observation = await observeDomain(pool, vmId, qmp);
  if (observation === null) throw new ProblemError("not_found", "This host has no such domain.", { subject: vmId });
  const disks = await prepareDisks(repositories, observation, input);
  const obstacle = findObstacle(observation, disks, input);
  if (obstacle !== null) return failed(input, obstacle);
  const owner = await pool.call("owner", { vmId }, { vmId });
  const { runtimeId } = observation;
  const [first] = disks;
  if (owner === null || runtimeId === null || first === undefined) {
    const words = "The VM's QEMU cannot be seen: it stopped, or runs elsewhere.";
    return failed(input, hostError("domain-changed", words));
  }
  // Settles what the note says of the job before this one; it is put back if this one does not begin.
  const before = await watch.settle(vmId);
  if (before.place !== null && before.place.note.end === null) {
    const detail = "libvirt was asked for a backup a moment ago, and it is not known yet what became of it.";
    throw new ProblemError("vm_busy", detail, { subject: vmId });
  }
  await removeLeftHelpers(pool, observation);
  const place: Place = {
    repository: first.file.repository,
    note: newNote(watch.notes.uri, input, runtimeId, disks),
  };
  await watch.hearing();
  const made = new MadeFiles();
  const undo: Undo = async () => {
    watch.forget(vmId);
    await made.undo();
    await watch.notes.remove(place.repository, vmId);
    if (before.place !== null) await watch.notes.write(before.place.repository, before.place.note);
  };
  try {
    for (const disk of disks) {
      const virtualSize = await sizeOf(disk);
      await made.makeImage({ file: disk.file, backing: disk.backing, virtualSize }, owner);
    }
    place.note.askedAt = Date.now();
    place.note.seenAt = place.note.askedAt;
    await watch.notes.write(place.repository, place.note);
    watch.asking(vmId);
  } catch (thrown) {
    await undo();
    return failed(input, toHostError(thrown));
  }
  const error = await ask(parts, place, { owner, disks, undo });
  if (error !== null) return failed(input, error);
  await watch.begun(place);
  return null;
}

function newNote(
  uri: string,
  { vmId, checkpointId }: BeginBackupInput,
  runtimeId: string,
  disks: readonly PreparedDisk[],
): BackupNote {
  return {
    version: 1,
    uri,
    vmId,
    runtimeId,
    checkpointId: disks.some((disk) => disk.isCovered) ? checkpointId : null,
    disks: disks.map(({ target, mode, file }) => ({ target, mode, path: file.path, real: file.real })),
    askedAt: Date.now(),
    isBegun: false,
    seenAt: Date.now(),
    totalBytes: null,
    abortedAt: null,
    strandedAt: null,
    end: null,
  };
}

/** null: it has begun. What libvirt refused is undone; what hung is looked for later and undone then. */
async function ask(
  { pool, watch }: BackupParts,
  place: Place,
  { owner, disks, undo }: { owner: Owner; disks: readonly PreparedDisk[]; undo: Undo },
): Promise<CurrentBackup["error"]> {
  const { vmId, runtimeId, checkpointId } = place.note;
  const covered = disks.filter((disk) => disk.isCovered).map(({ target }) => target);
  const rest = owner.disks.filter((target) => !disks.some((disk) => disk.target === target));
  const uncovered = owner.disks.filter((target) => !covered.includes(target));
  const backupXml = pushXml(
    disks.map(({ target, base, file }) => ({ target, base, file: file.real })),
    rest,
  );
  const checkpoint =
    checkpointId === null ? null : { id: checkpointId, xml: newCheckpointXml(checkpointId, covered, uncovered) };
  try {
    const options = { vmId, deadlineMs: CHANGE_DEADLINE_MS };
    const answer = await pool.call("beginPush", { vmId, runtimeId, backupXml, checkpoint }, options);
    if (answer === null) throw new HostFailure(observeError("domain-changed", "The VM is not known here any more."));
    if (answer.ok) return null;
    await undo();
    return nameBases(answer.error, disks);
  } catch (thrown) {
    if (thrown instanceof CallFailure && (thrown.hung || thrown.scope === "host")) {
      void reap({ pool, watch }, place.note, undo);
    } else await undo();
    throw thrown;
  }
}

/**
 * After a begin that hung, or whose answer was lost with the connection: the daemon may begin it later. Ends it then,
 * with all that it made; when it can begin no more all that was made goes too, unless it had begun and is over.
 */
async function reap({ pool, watch }: Pick<BackupParts, "pool" | "watch">, note: BackupNote, undo: Undo): Promise<void> {
  const { vmId, checkpointId } = note;
  const signal = watch.closing;
  const files = note.disks.map(({ real }) => real);
  const deadline = Date.now() + REAP_FOR_MS;
  while (Date.now() < deadline && !signal.aborted) {
    await sleep(REAP_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    const since = Date.now();
    const look = await pool.call("backupLook", { vmId, checkpointId, files }, { vmId }).catch(() => undefined);
    if (look === undefined) continue;
    const sight = toSight(note, look, since);
    if (sight.isOurs) {
      const options = { vmId, deadlineMs: CHANGE_DEADLINE_MS };
      if (await pool.call("abortPush", { vmId, files, checkpointId }, options).catch(() => null)) break;
      continue;
    }
    const { state } = judge(note, sight, { heard: null, isWatched: false });
    if (state === "waiting") continue;
    if (state === "ended-unseen" && !sight.hasCheckpoint) break;
    // It had begun. What became of it is in the note from the next look on.
    watch.forget(vmId);
    return;
  }
  if (!signal.aborted) await undo();
}

/** The disk's size as QEMU sees it, or as its image says where QEMU may not be asked. @throws HostFailure */
async function sizeOf({ seen }: PreparedDisk): Promise<number> {
  if (seen.virtualSize !== null) return seen.virtualSize;
  const read = await readImage(seen.source ?? "", seen.format, { forceShare: true });
  if (!read.ok) throw new HostFailure(read.error);
  if (read.value.virtualSize !== null) return read.value.virtualSize;
  throw new HostFailure(observeError("unreadable", `The size of ${seen.target} cannot be read.`));
}

/** libvirt names the first bad disk in words only: say which may be meant. */
function nameBases(error: NonNullable<CurrentBackup["error"]>, disks: readonly PreparedDisk[]) {
  if (error.code !== "checkpoint-inconsistent") return error;
  const based = disks.flatMap(({ target, base }) => (base === null ? [] : [{ target, base }]));
  const named = based.filter(({ target }) => error.hostMessage?.includes(`disk '${target}'`));
  const broken = (named.length > 0 ? named : based).map(({ target, base }) => ({ target, why: `not from '${base}'` }));
  const { libvirtCode, libvirtDomain } = error;
  return { ...inconsistentBases(broken, error.hostMessage), libvirtCode, libvirtDomain };
}
