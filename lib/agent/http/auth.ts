/** Bearer tokens, known by their SHA-256 only. */
import { createHash, timingSafeEqual } from "node:crypto";

/** The hash of the known token in the `Authorization` header, or null; each is compared, in constant time. */
export function authorizedHash(header: string | undefined, tokenSha256: readonly string[]): string | null {
  const token = /^Bearer ([\x21-\x7e]{1,1024})$/i.exec(header ?? "")?.[1];
  if (token === undefined) return null;
  const digest = createHash("sha256").update(token).digest();
  let known: string | null = null;
  for (const hex of tokenSha256) {
    if (timingSafeEqual(digest, Buffer.from(hex, "hex"))) known = hex;
  }
  return known;
}
