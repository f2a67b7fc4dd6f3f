/**
 * Attempts to prove who one is by a password, counted over all web processes. Strict where somebody guesses: an account
 * from one network. Soft where only an account is guessed at, from whatever networks: strangers then have fewer attempts
 * each and wait longer, and nobody is locked out whose own network is innocent. A browser that has signed in before has a
 * count of its own. See lib/decisions/who-may-guess.md.
 */
import { isIPv6 } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError } from "#contract/problem.ts";
import { countAttempt, type Db, forgetAttempts, forgiveAttempt, readAttempts } from "#db/index.ts";
import { sha256 } from "./authenticate.ts";

const WINDOW_MS = 15 * 60_000;
/** Wrong passwords for one account within the window: from one network, from one known browser, in one session. */
export const MOST_OF_ONE = 10;
/** From all networks together, until the account counts as attacked. */
export const MOST_OF_ALL = 30;
/** For one network, while the account is attacked: somebody may mistype. */
export const MOST_WHILE_ATTACKED = 3;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 8_000;

export type Attempt = {
  /** As it was typed. */
  account: string;
  /** Where the connection comes from; null: nobody knows. */
  peer: string | null;
  /** A browser that has signed in to this account before; null: none. */
  device: string | null;
};
/** What came of it: a right password is no attempt to guess. */
export type Taken = { succeeded: () => Promise<void> };

// Not the account itself: what somebody typed into the field may be a password.
const nameOf = (account: string) => sha256(account.trim().toLowerCase());

/** What one person can be given of the address space: an IPv4 address, or a /56 of IPv6. */
export function networkOf(peer: string | null): string {
  const address = (peer ?? "").replace(/%.*$/, "").toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.split("::");
  const left = head.split(":").filter(Boolean);
  const right = (tail ?? "").split(":").filter(Boolean);
  const filled = tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill("0"), ...right];
  const [a = "0", b = "0", c = "0", d = "0"] = filled;
  const words = [a, b, c].map((word) => word.padStart(4, "0"));
  return `${words.join(":")}:${d.padStart(4, "0").slice(0, 2)}00::/56`;
}

/** How long a stranger waits when this many attempts were made on an account, ms. */
export function waitFor(attempts: number): number {
  if (attempts <= MOST_OF_ALL) return 0;
  const tens = Math.floor((attempts - MOST_OF_ALL - 1) / 10);
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tens, 10));
}

const tooMany = () =>
  new ProblemError(
    "rate_limited",
    `There were too many attempts for this account from here. Wait ${WINDOW_MS / 60_000} minutes, then try again.`,
  );

/** Counts an attempt before it is looked at. @throws ProblemError rate_limited: not this account from there, for a while */
export async function takeAttempt({ orm }: Db, { account, peer, device }: Attempt): Promise<Taken> {
  const name = nameOf(account);
  if (device !== null) {
    const own = `device:${name}:${sha256(device)}`;
    if ((await countAttempt(orm, own, WINDOW_MS)) <= MOST_OF_ONE) return { succeeded: () => forgetAttempts(orm, own) };
    // Somebody else has it now, or its owner has forgotten: as a stranger from here on.
  }
  const here = `network:${name}:${networkOf(peer)}`;
  const everywhere = `account:${name}`;
  const isAttacked = (await readAttempts(orm, everywhere)) >= MOST_OF_ALL;
  if ((await countAttempt(orm, here, WINDOW_MS)) > (isAttacked ? MOST_WHILE_ATTACKED : MOST_OF_ONE)) throw tooMany();
  // Only what is looked at counts: who is refused above cannot make others wait.
  await sleep(waitFor(await countAttempt(orm, everywhere, WINDOW_MS)));
  return {
    succeeded: async () => {
      await forgetAttempts(orm, here);
      await forgiveAttempt(orm, everywhere);
    },
  };
}

/** The present password asked for again inside a session: a stolen one must not be a way to guess it without end. */
export async function takeAttemptInSession({ orm }: Db, sessionId: string): Promise<Taken> {
  const own = `session:${sessionId}`;
  if ((await countAttempt(orm, own, WINDOW_MS)) > MOST_OF_ONE) throw tooMany();
  return { succeeded: () => forgetAttempts(orm, own) };
}

export const MOST_STARTS = 30;

/** Counts a sign-in that begins at the identity provider, by network: each is kept for minutes. @throws ProblemError rate_limited */
export async function takeStart(db: Db, peer: string | null): Promise<void> {
  if ((await countAttempt(db.orm, `provider:${networkOf(peer)}`, 60_000)) <= MOST_STARTS) return;
  throw new ProblemError("rate_limited", "There were too many attempts from this address. Wait a minute.");
}
