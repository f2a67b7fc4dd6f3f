/** Bearer tokens, known by their SHA-256 only. */
import { createHash, timingSafeEqual } from "node:crypto";

/** Whether the `Authorization` header carries a known token; every known hash is compared, in constant time. */
export function isAuthorized(header: string | undefined, tokenSha256: readonly string[]): boolean {
  const token = /^Bearer ([\x21-\x7e]{1,1024})$/i.exec(header ?? "")?.[1];
  if (token === undefined) return false;
  const digest = createHash("sha256").update(token).digest();
  let known = false;
  for (const hex of tokenSha256) {
    if (timingSafeEqual(digest, Buffer.from(hex, "hex"))) known = true;
  }
  return known;
}
