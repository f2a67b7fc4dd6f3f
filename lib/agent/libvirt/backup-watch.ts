/**
 * What the agent knows of backup jobs beyond libvirt's word: the note beside a job's files, and what was heard of it since.
 * An agent that is started anew goes on where the last one was killed. The rules are in `../backups/outcome.ts`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type BackupNote, Notes } from "../backups/note.ts";
import { type EndedJob, judge, type Sight } from "../backups/outcome.ts";
import { isSameFiles } from "./backup-push.ts";
import type { CallPool } from "./call-pool.ts";
import type { BackupLook } from "./ipc.ts";

/** An event may come after the look that saw its job gone. */
const EVENT_LAG_MS = 1_000;
/** A libvirt that has just started tells of a domain before it has found the job on it again. */
const FOUND_AGAIN_MS = 3_000;
/** How old "last seen" in a note may grow while somebody asks. */
const NOTE_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 100;
const OWN_LOOK_MS = 5_000;
const HEARING_MS = 5_000;
/**
 * libvirt holds a backup without a block job for moments only, as it begins and as it ends; each look has it ask QEMU,
 * so that one which does not answer is no such case. See lib/decisions/a-file-that-qemu-keeps.md.
 */
const STRANDED_AFTER_MS = 6_000;

export type Place = { repository: string; note: BackupNote };
export type Settled = { place: Place | null; look: BackupLook | null; isWaiting: boolean };
type Heard = { ended: EndedJob; whileAsking: boolean } | null;
/** `connection`: the event connection under which ours was last known to run; null: none. */
type Watch = {
  connection: number | null;
  isAsking: boolean;
  heard: Heard;
  /** Since when it has been held without a block job; null: it has one, or nobody knows. */
  idleSince: number | null;
};
type Parts = { pool: CallPool; uri: string; repositories: readonly string[] };

export class BackupWatch {
  readonly notes: Notes;
  readonly #pool: CallPool;
  readonly #watches = new Map<string, Watch>();
  readonly #settling = new Map<string, Promise<unknown>>();
  readonly #closing = new AbortController();
  /** Number of the event connection; null while there is none. */
  #connection: number | null = null;
  #connections = 0;

  constructor({ pool, uri, repositories }: Parts) {
    this.#pool = pool;
    this.notes = new Notes(repositories, uri);
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
    if (!watch.isAsking) void this.settle(vmId).catch(() => undefined);
  }

  /** Aborted when the agent ends. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  close(): void {
    this.#closing.abort();
  }

  /** libvirt is about to be asked. */
  asking(vmId: string): void {
    this.#watches.set(vmId, { connection: this.#connection, isAsking: true, heard: null, idleSince: null });
  }

  /** libvirt has begun it. */
  async begun(place: Place): Promise<void> {
    const watch = this.#watches.get(place.note.vmId);
    if (watch !== undefined) watch.isAsking = false;
    place.note.isBegun = true;
    await this.notes.write(place.repository, place.note);
  }

  /** It was not begun after all. */
  forget(vmId: string): void {
    this.#watches.delete(vmId);
  }

  /** The end of a short job is only ever heard. An agent that has just started waits until it hears; not for long. */
  async hearing(): Promise<void> {
    const deadline = Date.now() + HEARING_MS;
    while (this.#connection === null && Date.now() < deadline) await sleep(LOOK_EVERY_MS);
  }

  /** Looks at the host and notes how the job ended. One after another for a domain: each reads the note that the one before wrote. */
  settle(vmId: string): Promise<Settled> {
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
  async #settleNow(vmId: string): Promise<Settled> {
    const began = Date.now();
    for (;;) {
      const place = await this.notes.find(vmId);
      const checkpointId = place?.note.checkpointId ?? null;
      const files = place === null || place.note.end !== null ? [] : place.note.disks.map(({ real }) => real);
      const heardBefore = this.#watches.get(vmId)?.heard ?? null;
      const since = Date.now();
      const look = await this.#pool.call("backupLook", { vmId, checkpointId, files }, { vmId });
      if (place === null || place.note.end !== null) return { place, look, isWaiting: false };
      const watch = this.#watches.get(vmId);
      if (watch?.isAsking) return { place, look, isWaiting: look?.backup == null };
      const sight = toSight(place.note, look, since);
      const isWatched = watch !== undefined && watch.connection !== null && watch.connection === this.#connection;
      const outcome = judge(place.note, sight, { heard: surelyHeard(watch, sight), isWatched });
      if (outcome.state === "waiting") return { place, look, isWaiting: true };
      if (outcome.state === "running") {
        await this.#seen(place, sight.at, look, heardBefore);
        await this.#endStranded(place, sight.at);
        return { place, look, isWaiting: false };
      }
      const patience = isWatched ? EVENT_LAG_MS : FOUND_AGAIN_MS;
      const isSure = outcome.state !== "ended-unseen" || Date.now() - began > patience;
      if (isSure) {
        place.note.end = outcome;
        this.#watches.delete(vmId);
        await this.notes.write(place.repository, place.note);
        return { place, look, isWaiting: false };
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** Ours runs. What was heard before the look belongs to another job; what was heard since may well be of ours. */
  async #seen({ repository, note }: Place, at: number, look: BackupLook | null, heardBefore: Heard): Promise<void> {
    const { heard = null, idleSince = null } = this.#watches.get(note.vmId) ?? {};
    this.#watches.set(note.vmId, {
      connection: this.#connection,
      isAsking: false,
      heard: heard === heardBefore ? null : heard,
      idleSince: look?.blockJobs === 0 ? (idleSince ?? at) : null,
    });
    if (note.isBegun && at - note.seenAt < NOTE_EVERY_MS) return;
    note.isBegun = true;
    note.seenAt = at;
    note.totalBytes = look?.job?.totalBytes ?? note.totalBytes;
    await this.notes.write(repository, note);
  }

  /**
   * A libvirt that was killed after QEMU had ended one disk's job drops that job and waits for its end for ever; abort is
   * what makes it let go. Noted first: the next agent then knows why it ended.
   */
  async #endStranded({ repository, note }: Place, at: number): Promise<void> {
    const { vmId } = note;
    const idleSince = this.#watches.get(vmId)?.idleSince ?? at;
    if (at - idleSince < STRANDED_AFTER_MS) return;
    note.strandedAt ??= at;
    await this.notes.write(repository, note);
    const files = note.disks.map(({ real }) => real);
    // Where it fails the next look asks again.
    await this.#pool.call("abortPush", { vmId, files, checkpointId: null }, { vmId }).catch(() => undefined);
  }

  /** Keeps "last seen" fresh when nobody asks: it is what a later agent's evidence rests on. */
  async #keepLooking(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleep(OWN_LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined);
      for (const [vmId, { isAsking }] of this.#watches) {
        if (!isAsking && !signal.aborted) await this.settle(vmId).catch(() => undefined);
      }
    }
  }

  /** Jobs whose end is not noted: of an agent that was killed, or from before the daemon went away. */
  async #lookAtUnfinished(): Promise<void> {
    for (const vmId of await this.notes.unfinished()) {
      if (!this.#watches.get(vmId)?.isAsking) await this.settle(vmId).catch(() => undefined);
    }
  }
}

/** Heard while libvirt was still asked to begin, it may be of the job before: only if the statistics agree. */
function surelyHeard(watch: Watch | undefined, { completed }: Sight): EndedJob | null {
  const heard = watch?.heard;
  if (!heard) return null;
  return heard.whileAsking && completed?.elapsedMs !== heard.ended.elapsedMs ? null : heard.ended;
}

/** @param since when the look was begun */
export function toSight(note: BackupNote, look: BackupLook | null, since: number): Sight {
  const files = note.disks.map(({ real }) => real);
  return {
    since,
    at: Date.now(),
    isFree: look !== null && look.job === null && look.backup === null,
    isOurs: look !== null && look.backup !== null && isSameFiles(look.backup, files),
    runtimeId: look?.runtimeId ?? null,
    completed: look?.completed ?? null,
    hasCheckpoint: look?.hasCheckpoint ?? false,
    isHeld: look?.isHeld ?? false,
  };
}
