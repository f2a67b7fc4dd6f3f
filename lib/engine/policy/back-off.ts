/** Whether something that was tried before may be tried again. Pure. */

/** One job that policy started: the read that it stood on, and whether everything that it promised came true. */
export type Attempt = { digest: string; endedAt: string | null; cured: boolean };

export type Permission = { may: true } | { may: false; againInMs: number | null };

const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 15 * 60_000;
/** Something that takes the cure back each time is not fought for ever at full speed. */
const WINDOW_MS = 10 * 60_000;
const MOST_IN_WINDOW = 5;

/**
 * `attempts` newest first. What did not help on this very state of the host is not tried on it again; failures on
 * other states are followed by longer and longer pauses, and even cures that do not last are bounded.
 */
export function mayTry(attempts: readonly Attempt[], digest: string, now: number): Permission {
  if (attempts.some((attempt) => attempt.digest === digest && !attempt.cured)) return { may: false, againInMs: null };
  const ended = attempts.map((attempt) => (attempt.endedAt === null ? now : Date.parse(attempt.endedAt)));
  const cure = attempts.findIndex((attempt) => attempt.cured);
  const failures = cure === -1 ? attempts.length : cure;
  const pause = failures === 0 ? 0 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 4 ** (failures - 1));
  const crowded = ended[MOST_IN_WINDOW - 1];
  const notBefore = Math.max((ended[0] ?? 0) + pause, crowded === undefined ? 0 : crowded + WINDOW_MS);
  return notBefore > now ? { may: false, againInMs: notBefore - now } : { may: true };
}
