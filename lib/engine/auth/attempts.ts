/**
 * Attempts to prove who one is, counted per account over all web processes and addresses: who tries one password from
 * a thousand addresses is slowed down like one who tries a thousand from one (which better-auth counts by address).
 */
import { ProblemError } from "#contract/problem.ts";
import { countAttempt, type Db, forgetAttempts } from "#db/index.ts";
import { sha256 } from "./authenticate.ts";

export const MOST_ATTEMPTS = 20;
const WINDOW_MS = 15 * 60_000;

// Not the address itself: what somebody typed into the field may be a password.
const keyOf = (account: string) => `account:${sha256(account.trim().toLowerCase())}`;

/** Counts an attempt before it is looked at. @throws ProblemError rate_limited, when there were too many without a right one */
export async function takeAttempt(db: Db, account: string): Promise<void> {
  if ((await countAttempt(db.orm, keyOf(account), WINDOW_MS)) <= MOST_ATTEMPTS) return;
  throw new ProblemError(
    "rate_limited",
    `There were too many attempts for this account. Wait ${WINDOW_MS / 60_000} minutes, then try again.`,
  );
}

export const MOST_STARTS = 30;

/** Counts a sign-in that begins at the identity provider, by address: each is kept for minutes. @throws ProblemError rate_limited */
export async function takeStart(db: Db, address: string | null): Promise<void> {
  if ((await countAttempt(db.orm, `provider:${address ?? ""}`, 60_000)) <= MOST_STARTS) return;
  throw new ProblemError("rate_limited", "There were too many attempts from this address. Wait a minute.");
}

/** A right password starts the count anew. */
export const noteSuccess = (db: Db, account: string): Promise<void> => forgetAttempts(db.orm, keyOf(account));
