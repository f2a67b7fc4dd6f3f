/**
 * A cookie for a browser that has signed in with a password, so that whoever guesses at the account from elsewhere cannot
 * keep it out (OWASP: device cookies). It opens nothing: it only has its own count of wrong passwords.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type Db, sharedSecret } from "#db/index.ts";

/** Under which name the database keeps what signs them; made as the engine starts. */
export const DEVICE_SECRET = "device";
const NAME = "driftline.device";
const DAYS = 180;

const sign = (secret: string, account: string, id: string, until: string): Buffer =>
  createHmac("sha256", secret).update(`${account.trim().toLowerCase()}\n${id}\n${until}`).digest();

/** Which known browser of this account sent the request; null: none that we made, another account's, or too old. */
export async function readDevice(db: Db, headers: Headers, account: string): Promise<string | null> {
  const found = new RegExp(`(?:^|;\\s*)${NAME}=([A-Za-z0-9_-]{22})\\.(\\d{13})\\.([A-Za-z0-9_-]{43})(?:;|$)`).exec(
    headers.get("cookie") ?? "",
  );
  const [, id, until, mac] = found ?? [];
  if (id === undefined || until === undefined || mac === undefined || Number(until) < Date.now()) return null;
  const wanted = sign(await sharedSecret(db.orm, DEVICE_SECRET), account, id, until);
  const sent = Buffer.from(mac, "base64url");
  return sent.length === wanted.length && timingSafeEqual(sent, wanted) ? id : null;
}

/** The header's value that makes this browser a known one. */
export async function deviceCookie(db: Db, account: string): Promise<string> {
  const id = randomBytes(16).toString("base64url");
  const until = String(Date.now() + DAYS * 86_400_000);
  const mac = sign(await sharedSecret(db.orm, DEVICE_SECRET), account, id, until).toString("base64url");
  return `${NAME}=${id}.${until}.${mac}; Path=/api/auth; HttpOnly; SameSite=Strict; Max-Age=${DAYS * 86_400}`;
}
