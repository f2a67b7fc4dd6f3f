/**
 * Push backups on real libvirt: begun, watched, ended. What the agent knows of a job beyond libvirt's word is the note
 * beside its files, so an agent that is started anew goes on where the last one was killed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { BeginBackupInput, CurrentBackup } from "#contract/agent-operations.ts";
import { ProblemError } from "#contract/problem.ts";
import { MadeFiles, readAllocated } from "../backups/files.ts";
import { type BackupNote, Notes } from "../backups/note.ts";
import { type EndedJob, judge, type Sight } from "../backups/outcome.ts";
import { findObstacle, inconsistentBases, type PreparedDisk, prepareDisks } from "../backups/request.ts";
import { HostFailure, observeError } from "../failure.ts";
import { hostError, toHostError } from "../host-error.ts";
import { readImage } from "../qemu/images.ts";
import { isSameFiles, newCheckpointXml, pushXml } from "./backup-push.ts";
import type { CallPool } from "./call-pool.ts";
import { CallFailure } from "./call-process.ts";
import type { BackupLook } from "./ipc.ts";
import { observeDomain } from "./observe.ts";

/** libvirt itself gives up on its lock after 30 s. */
const CHANGE_DEADLINE_MS = 40_000;
const ABORT_FOR_MS = 20_000;
const LOOK_EVERY_MS = 100;
/** An event may come after the look that saw its job gone. */
const EVENT_LAG_MS = 1_000;
/** A libvirt that has just started tells of a domain before it has found the job on it again. */
const FOUND_AGAIN_MS = 3_000;
/** How old "last seen" in a note may grow while somebody asks. */
const NOTE_EVERY_MS = 1_000;
const REAP_EVERY_MS = 5_000;
const REAP_FOR_MS = 120_000;
const OWN_LOOK_MS = 5_000;
const HEARING_MS = 5_000;

type Place = { repository: string; note: BackupNote };
/** `connection`: the event connection under which ours was last known to run; null: none. */
type Heard = { ended: EndedJob; whileAsking: boolean } | null;
type Watch = { connection: number | null; isAsking: boolean; heard: Heard };
type Parts = { pool: CallPool; uri: string; repositories: readonly string[]; qmp: boolean };

const iso = (ms: number): string => new Date(ms).toISOString();

export class BackupJobs {
  readonly #pool: CallPool;
  readonly #repositories: readonly string[];
  readonly #qmp: boolean;
  readonly #notes: Notes;
  readonly #watches = new Map<string, Watch>();
  readonly #settling = new Map<string, Promise<unknown>>();
  readonly #closing = new AbortController();
  /** Number of the event connection; null while there is none. */
  #connection: number | null = null;
  #connections = 0;

  constructor({ pool, uri, repositories, qmp }: Parts) {
    this.#pool = pool;
    this.#repositories = repositories;
    this.#qmp = qmp;
    this.#notes = new Notes(repositories, uri);
    void this.#keepLooking();
  }

  /** Events come in from now on. */
  connected(): void {
    this.#connections += 1;
    this.#connection = this.#connections;
    void this.#lookAtUnfinished();
  }
  disconnected(): void {
    this.#connection = null;
  }

  /** A job ended. It was ours if ours was known to run, without a gap in the events since. */
  jobEnded(vmId: string, ended: EndedJob): void {
    const watch = this.#watches.get(vmId);
    if (watch === undefined || watch.heard !== null || !ended.isBackup) return;
    if (watch.connection === null || watch.connection !== this.#connection) return;
    watch.heard = { ended, whileAsking: watch.isAsking };
    if (!watch.isAsking) void this.#settle(vmId).catch(() => undefined);
  }

  close(): void {
    this.#closing.abort();
  }

  /** @throws ProblemError invalid_input, not_found, conflict, vm_busy; HostFailure: nothing is known of how far it came */
  async begin(input: BeginBackupInput): Promise<CurrentBackup> {
    const { vmId, checkpointId } = input;
    const observation = await observeDomain(this.#pool, vmId, this.#qmp);
    if (observation === null) throw new ProblemError("not_found", "This host has no such domain.", { subject: vmId });
    const disks = await prepareDisks(this.#repositories, observation, input);
    const refuse = (error: CurrentBackup["error"]) => failed(input, error);
    const obstacle = findObstacle(observation, disks, input);
    if (obstacle !== null) return refuse(obstacle);
    const owner = await this.#pool.call("owner", { vmId }, { vmId });
    const { runtimeId } = observation;
    const [first] = disks;
    if (owner === null || runtimeId === null || first === undefined) {
      return refuse(hostError("domain-changed", "The VM's QEMU cannot be seen: it stopped, or runs elsewhere."));
    }
    // Settles what the note says of the job before this one; it is put back if this one does not begin.
    const before = await this.#settle(vmId);
    if (before.place !== null && before.place.note.end === null) {
      const detail = "libvirt was asked for a backup a moment ago, and it is not known yet what became of it.";
      throw new ProblemError("vm_busy", detail, { subject: vmId });
    }
    const covered = disks.filter((disk) => disk.isCovered).map(({ target }) => target);
    const note: BackupNote = {
      version: 1,
      uri: this.#notes.uri,
      vmId,
      runtimeId,
      checkpointId: covered.length === 0 ? null : checkpointId,
      disks: disks.map(({ target, mode, file }) => ({ target, mode, path: file.path, real: file.real })),
      askedAt: Date.now(),
      isBegun: false,
      seenAt: Date.now(),
      totalBytes: null,
      abortedAt: null,
      end: null,
    };
    const place: Place = { repository: first.file.repository, note };
    await this.#hearing();
    const made = new MadeFiles();
    const undo = async (): Promise<void> => {
      this.#watches.delete(vmId);
      await made.undo();
      await this.#notes.remove(place.repository, vmId);
      if (before.place !== null) await this.#notes.write(before.place.repository, before.place.note);
    };
    try {
      for (const disk of disks) {
        const virtualSize = await sizeOf(disk);
        await made.makeImage({ file: disk.file, backing: disk.backing, virtualSize }, owner);
      }
      note.askedAt = Date.now();
      note.seenAt = note.askedAt;
      await this.#notes.write(place.repository, note);
      this.#watches.set(vmId, { connection: this.#connection, isAsking: true, heard: null });
    } catch (thrown) {
      await undo();
      return refuse(toHostError(thrown));
    }
    const rest = owner.disks.filter((target) => !disks.some((disk) => disk.target === target));
    const uncovered = owner.disks.filter((target) => !covered.includes(target));
    const backupXml = pushXml(
      disks.map(({ target, base, file }) => ({ target, base, file: file.real })),
      rest,
    );
    const checkpoint =
      covered.length === 0 ? null : { id: checkpointId, xml: newCheckpointXml(checkpointId, covered, uncovered) };
    try {
      const options = { vmId, deadlineMs: CHANGE_DEADLINE_MS };
      const answer = await this.#pool.call("beginPush", { vmId, runtimeId, backupXml, checkpoint }, options);
      if (answer === null) throw new HostFailure(observeError("domain-changed", "The VM is not known here any more."));
      if (!answer.ok) {
        await undo();
        return refuse(nameBases(answer.error, disks));
      }
    } catch (thrown) {
      if (thrown instanceof CallFailure && (thrown.hung || thrown.scope === "host")) void this.#reap(place, undo);
      else await undo();
      throw thrown;
    }
    await this.#begun(place);
    return await this.current(vmId);
  }

  /** @throws ProblemError not_found; HostFailure when the host cannot be read */
  async current(vmId: string): Promise<CurrentBackup> {
    const { place, look, isWaiting } = await this.#settle(vmId);
    const isOurs = place !== null && place.note.end === null;
    if (isOurs) {
      const job = isWaiting ? null : (look?.job ?? null);
      return await showNote(place.note, { doneBytes: job?.doneBytes ?? 0, totalBytes: job?.totalBytes ?? null });
    }
    if (look !== null && look.backup !== null) return foreign(look);
    if (place !== null) return await showNote(place.note, null);
    if (look === null) throw new ProblemError("not_found", "This host has no such domain.", { subject: vmId });
    return NONE;
  }

  /** Ends the backup that holds the domain, whoever began it. Its checkpoint and its files stay: the caller decides. */
  async abort(vmId: string): Promise<CurrentBackup> {
    const { place, look } = await this.#settle(vmId);
    if (look === null || look.backup === null) return await this.current(vmId);
    const isOurs = place !== null && place.note.end === null;
    if (isOurs) {
      place.note.abortedAt = Date.now();
      await this.#notes.write(place.repository, place.note);
    }
    await this.#pool.call(
      "abortPush",
      { vmId, files: isOurs ? place.note.disks.map(({ real }) => real) : null, checkpointId: null },
      { vmId, deadlineMs: CHANGE_DEADLINE_MS },
    );
    const deadline = Date.now() + ABORT_FOR_MS;
    for (;;) {
      const now = await this.#settle(vmId);
      if (now.look?.backup == null && (!isOurs || now.place?.note.end !== null)) break;
      if (Date.now() > deadline) {
        throw new HostFailure(observeError("timeout", "libvirt took the abort, and the job is still there."));
      }
      await sleep(LOOK_EVERY_MS);
    }
    return isOurs ? await this.current(vmId) : { ...foreign(look), state: "aborted", endedAt: iso(Date.now()) };
  }

  /** The end of a short job is only ever heard. An agent that has just started waits until it hears; not for long. */
  async #hearing(): Promise<void> {
    const deadline = Date.now() + HEARING_MS;
    while (this.#connection === null && Date.now() < deadline) await sleep(LOOK_EVERY_MS);
  }

  /** libvirt has begun it. */
  async #begun(place: Place): Promise<void> {
    const watch = this.#watches.get(place.note.vmId);
    if (watch !== undefined) watch.isAsking = false;
    place.note.isBegun = true;
    await this.#notes.write(place.repository, place.note);
  }

  /** One after another for a domain: each reads the note that the one before wrote. */
  #settle(vmId: string): Promise<{ place: Place | null; look: BackupLook | null; isWaiting: boolean }> {
    const before = this.#settling.get(vmId) ?? Promise.resolve();
    const settled = before.catch(() => undefined).then(() => this.#settleNow(vmId));
    this.#settling.set(vmId, settled);
    const forget = (): void => {
      if (this.#settling.get(vmId) === settled) this.#settling.delete(vmId);
    };
    settled.then(forget, forget);
    return settled;
  }

  /** Looks at the host, and notes what that says of the job in the note. */
  async #settleNow(vmId: string) {
    const began = Date.now();
    for (;;) {
      const place = await this.#notes.find(vmId);
      const checkpointId = place?.note.checkpointId ?? null;
      const heardBefore = this.#watches.get(vmId)?.heard ?? null;
      const look = await this.#pool.call("backupLook", { vmId, checkpointId }, { vmId });
      if (place === null || place.note.end !== null) return { place, look, isWaiting: false };
      const watch = this.#watches.get(vmId);
      if (watch?.isAsking) return { place, look, isWaiting: look?.backup == null };
      const sight = toSight(place.note, look);
      const isWatched = watch !== undefined && watch.connection !== null && watch.connection === this.#connection;
      const outcome = judge(place.note, sight, { heard: surelyHeard(watch, sight), isWatched });
      if (outcome.state === "waiting") return { place, look, isWaiting: true };
      if (outcome.state === "running") {
        await this.#seen(place, sight.at, look, heardBefore);
        return { place, look, isWaiting: false };
      }
      const patience = isWatched ? EVENT_LAG_MS : FOUND_AGAIN_MS;
      const isSure = outcome.state !== "ended-unseen" || Date.now() - began > patience;
      if (isSure) {
        place.note.end = outcome;
        this.#watches.delete(vmId);
        await this.#notes.write(place.repository, place.note);
        return { place, look, isWaiting: false };
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** Ours runs. What was heard before the look belongs to another job; what was heard since may well be of ours. */
  async #seen({ repository, note }: Place, at: number, look: BackupLook | null, heardBefore: Heard): Promise<void> {
    const heard = this.#watches.get(note.vmId)?.heard ?? null;
    const kept = heard === heardBefore ? null : heard;
    this.#watches.set(note.vmId, { connection: this.#connection, isAsking: false, heard: kept });
    if (note.isBegun && at - note.seenAt < NOTE_EVERY_MS) return;
    note.isBegun = true;
    note.seenAt = at;
    note.totalBytes = look?.job?.totalBytes ?? note.totalBytes;
    await this.#notes.write(repository, note);
  }

  /** Keeps "last seen" fresh when nobody asks: it is what a later agent's evidence rests on. */
  async #keepLooking(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleep(OWN_LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined);
      for (const [vmId, { isAsking }] of this.#watches) {
        if (!isAsking && !signal.aborted) await this.#settle(vmId).catch(() => undefined);
      }
    }
  }

  /** Jobs whose end is not noted: of an agent that was killed, or from before the daemon went away. */
  async #lookAtUnfinished(): Promise<void> {
    for (const vmId of await this.#notes.unfinished()) {
      if (!this.#watches.get(vmId)?.isAsking) await this.#settle(vmId).catch(() => undefined);
    }
  }

  /** After a begin that hung: the daemon may begin it later. Ends it then, with all that it made. */
  async #reap({ note }: Place, undo: () => Promise<void>): Promise<void> {
    const { vmId, checkpointId } = note;
    const { signal } = this.#closing;
    const files = note.disks.map(({ real }) => real);
    const deadline = Date.now() + REAP_FOR_MS;
    while (Date.now() < deadline && !signal.aborted) {
      await sleep(REAP_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
      const aborted = await this.#pool
        .call("abortPush", { vmId, files, checkpointId }, { vmId, deadlineMs: CHANGE_DEADLINE_MS })
        .catch(() => null);
      if (aborted) break;
    }
    if (!signal.aborted) await undo();
  }
}

const NONE: CurrentBackup = {
  state: "none",
  checkpointId: null,
  startedAt: null,
  endedAt: null,
  progress: null,
  disks: [],
  error: null,
};

/** Heard while libvirt was still asked to begin, it may be of the job before: only if the statistics agree. */
function surelyHeard(watch: Watch | undefined, { completed }: Sight): EndedJob | null {
  const heard = watch?.heard;
  if (!heard) return null;
  return heard.whileAsking && completed?.elapsedMs !== heard.ended.elapsedMs ? null : heard.ended;
}

function toSight(note: BackupNote, look: BackupLook | null): Sight {
  const files = note.disks.map(({ real }) => real);
  return {
    at: Date.now(),
    isOurs: look !== null && look.backup !== null && isSameFiles(look.backup, files),
    runtimeId: look?.runtimeId ?? null,
    completed: look?.completed ?? null,
    hasCheckpoint: look?.hasCheckpoint ?? false,
  };
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

function failed({ disks }: BeginBackupInput, error: CurrentBackup["error"]): CurrentBackup {
  const at = iso(Date.now());
  const shown = disks.map(({ target, mode, path }) => ({ target, mode, path, bytes: null }));
  return { ...NONE, state: "failed", endedAt: at, disks: shown, error };
}

function foreign({ backup, job }: BackupLook): CurrentBackup {
  return {
    ...NONE,
    state: "running",
    startedAt: job === null ? null : iso(Date.now() - job.elapsedMs),
    progress: job === null ? null : { doneBytes: job.doneBytes ?? 0, totalBytes: job.totalBytes },
    disks: (backup?.disks ?? []).map(({ target, mode, file }) => ({ target, mode, path: file ?? "", bytes: null })),
  };
}

async function showNote(note: BackupNote, progress: CurrentBackup["progress"]): Promise<CurrentBackup> {
  const { end, checkpointId } = note;
  const done = end?.doneBytes ?? null;
  return {
    state: end?.state ?? "running",
    checkpointId,
    startedAt: iso(note.askedAt),
    endedAt: end === null ? null : iso(end.at),
    progress: end === null ? progress : done === null ? null : { doneBytes: done, totalBytes: note.totalBytes },
    disks: await Promise.all(
      note.disks.map(async ({ target, mode, path, real }) => ({
        target,
        mode,
        path,
        bytes: await readAllocated(real),
      })),
    ),
    error: end?.error ?? null,
  };
}
