/**
 * What became of a backup job. `finished` needs evidence that *this* job finished: libvirt keeps only the statistics of
 * a domain's last job, with nothing in them that names it, and another program may have run a job since.
 *
 * | what is there                                                | says                          |
 * |--------------------------------------------------------------|-------------------------------|
 * | a job that writes into our files                             | running                       |
 * | its end was heard while it was known to run                  | what was heard                |
 * | statistics of a job longer than the time since ours was seen | it is ours: what they say     |
 * | it finished, and QEMU has its files open still               | running: they are not whole   |
 * | it finished, and its QEMU went before it was seen to close   | failed                        |
 * | the domain stopped, and the agent watched it all the time    | failed                        |
 * | asked for a moment ago, and nobody heard the answer          | running: it may yet begin     |
 * | an agent aborted it, and nobody heard how it ended           | aborted                       |
 * | libvirt waited for block jobs that are gone: the agent ended it | failed                     |
 * | anything else                                                | ended-unseen                  |
 */
import type { HostError } from "#contract/agent-operations.ts";
import { hostError, isNoSpace } from "../host-error.ts";
import type { BackupNote } from "./note.ts";

/** How a job ended, as libvirt says it. It keeps this of a domain's last job until the daemon ends. */
export type EndedJob = {
  isBackup: boolean;
  elapsedMs: number;
  /** virDomainJobType: 3 completed, 4 failed, 5 cancelled; null: an event does not say it. */
  type: number | null;
  success: boolean | null;
  errorMessage: string | null;
  doneBytes: number | null;
};

/** What one look at the domain saw, which began at `since` and had ended at `at` (ms). */
export type Sight = {
  since: number;
  at: number;
  /** No job of any kind is on the domain, so nothing waits for its lock. */
  isFree: boolean;
  /** Ours runs: a job that writes into exactly its files. */
  isOurs: boolean;
  runtimeId: string | null;
  completed: EndedJob | null;
  hasCheckpoint: boolean;
  /** Somebody still wrote into its files, just before the run of the domain was read. */
  isHeld: boolean;
};

/** What this agent has witnessed of the job since it began or was found again. */
export type Witness = {
  /** The first job of this domain that ended while ours was known to run. */
  heard: EndedJob | null;
  /** Events came in without a gap since ours was known to run. */
  isWatched: boolean;
};

export type Outcome = { state: "running" } | { state: "waiting" } | NonNullable<BackupNote["end"]>;

/** libvirt's lock timeout, after which a begin whose caller has died can start no more, with some room. */
const MAY_YET_BEGIN_MS = 45_000;
/**
 * Where no job holds the domain, a begin that libvirt has taken has begun. It takes calls in the order in which they
 * came to it, so a look that was sent later is answered later; this is room for the little that it does before the lock.
 */
const FREE_MAY_YET_BEGIN_MS = 5_000;
/** Two clocks that read the same time round differently. */
const CLOCK_MS = 100;
/** How long QEMU may take to close the files of a job that has finished; it takes milliseconds. */
const CLOSING_MS = 30_000;
const COMPLETED = 3;

/** strerror(ECANCELED) in the C locale, which QEMU runs in: an abort has no other mark in an event. */
const CANCELLED = { type: 5, words: "Operation canceled" };

function classify(ended: EndedJob, note: BackupNote, sight: Sight): NonNullable<BackupNote["end"]> {
  const { at } = sight;
  const { doneBytes } = ended;
  const words = { hostMessage: ended.errorMessage };
  const isGood = ended.success !== false && ended.errorMessage === null;
  if (isGood && (ended.type === null || ended.type === COMPLETED)) {
    return { state: "finished", at, doneBytes, error: null };
  }
  const wasCancelled = ended.type === CANCELLED.type || ended.errorMessage === CANCELLED.words;
  if (note.abortedAt !== null) return { state: "aborted", at, doneBytes, error: null };
  if (wasCancelled && note.strandedAt !== null) return { state: "failed", at, doneBytes, error: stranded() };
  if (wasCancelled && sight.runtimeId === note.runtimeId) {
    const error = hostError("internal", "Somebody aborted the backup.", words);
    return { state: "aborted", at, doneBytes, error };
  }
  if (wasCancelled) return { state: "failed", at, doneBytes, error: stopped(ended.errorMessage) };
  return { state: "failed", at, doneBytes, error: typeJobError(ended.errorMessage) };
}

const stopped = (hostMessage: string | null): HostError =>
  hostError("domain-changed", "The VM stopped before its backup had finished.", { hostMessage });

const stranded = (): HostError => ({
  ...hostError("internal", STRANDED_WORDS),
  retryable: true,
});
const STRANDED_WORDS =
  "libvirt was restarted during this backup and waited for a part of it that QEMU had ended before. Nobody saw how that part ended, so the backup does not count.";

/** QEMU's words of a job that failed: strerror texts, in English. */
function typeJobError(hostMessage: string | null): HostError {
  if (isNoSpace(hostMessage)) {
    return hostError("no-space", "The repository has no space left.", { hostMessage });
  }
  return { ...hostError("internal", "QEMU could not finish the backup.", { hostMessage }), retryable: true };
}

const unseen = (at: number): Outcome => ({ state: "ended-unseen", at, doneBytes: null, error: null });

/**
 * libvirt says that a job has finished before it has QEMU close the job's files, and until then QEMU alone has the tables
 * that make them whole. So it has finished once they are closed and the QEMU that wrote them is seen to live.
 */
function onceClosed(ended: NonNullable<BackupNote["end"]>, note: BackupNote, sight: Sight): Outcome {
  const { at } = sight;
  if (ended.state !== "finished") return ended;
  if (sight.runtimeId !== note.runtimeId) return { state: "failed", at, doneBytes: null, error: stopped(null) };
  if (sight.isHeld) return at - note.seenAt < CLOSING_MS ? { state: "waiting" } : unseen(at);
  return ended;
}

/** Whether statistics of an ended job can only be ours: it began before ours was last seen, and jobs do not overlap. */
function isSurelyOurs(ended: EndedJob, note: BackupNote, at: number): boolean {
  return ended.isBackup && ended.elapsedMs > at - note.seenAt + CLOCK_MS;
}

/**
 * @param note of a job whose end is not noted yet
 * `waiting`: the end is not known yet, and may be in a moment.
 */
export function judge(note: BackupNote, sight: Sight, { heard, isWatched }: Witness): Outcome {
  const { at, completed } = sight;
  if (sight.isOurs) return { state: "running" };
  // What is kept says more than the event, if it is of the same job.
  if (heard !== null) {
    const isSame = completed?.isBackup === true && completed.elapsedMs === heard.elapsedMs;
    return onceClosed(classify(isSame ? completed : heard, note, sight), note, sight);
  }
  if (completed !== null && isSurelyOurs(completed, note, at))
    return onceClosed(classify(completed, note, sight), note, sight);
  const hasOtherRun = sight.runtimeId !== note.runtimeId;
  if (note.isBegun && hasOtherRun && isWatched) {
    return { state: "failed", at, doneBytes: null, error: stopped(null) };
  }
  const mayYetBegin = sight.isFree
    ? sight.since - note.askedAt < FREE_MAY_YET_BEGIN_MS
    : at - note.askedAt < MAY_YET_BEGIN_MS;
  if (!note.isBegun && !sight.hasCheckpoint && !hasOtherRun && mayYetBegin) return { state: "waiting" };
  // Had it finished in that very moment, not to call it so loses nothing but the time for another one.
  if (note.abortedAt !== null) return { state: "aborted", at, doneBytes: null, error: null };
  if (note.strandedAt !== null) return { state: "failed", at, doneBytes: null, error: stranded() };
  return unseen(at);
}
