/**
 * The one-time code that introduces an agent to an engine. It is read off the host's terminal and typed into the
 * console, so it travels where no attacker on the network sits. It carries a secret, and the fingerprint of the
 * agent's certificate: the engine knows whom it talks to before it says anything, and the agent knows that the engine
 * holds the code without the secret ever being sent.
 */
import { createHash, createHmac } from "node:crypto";

/** 80 bits: not to be guessed within the code's life. */
const SECRET_BYTES = 10;
/** 128 bits of the certificate's SHA-256: no second certificate with the same ones can be made. */
const FINGERPRINT_BYTES = 16;
/** A slip of the hand is told at once, without asking anybody. */
const CHECK_BYTES = 2;
export const CODE_SECRET_BYTES = SECRET_BYTES;
/** Without I, L, O and U, which are mistaken for others. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP = 5;
const LENGTH = Math.ceil(((SECRET_BYTES + FINGERPRINT_BYTES + CHECK_BYTES) * 8) / 5);

export type PairingCode = { secret: Buffer; fingerprint: Buffer };

const checkOf = (payload: Buffer): Buffer =>
  createHash("sha256").update("driftline pairing code").update(payload).digest().subarray(0, CHECK_BYTES);

/** The code in groups of five. `certificateSha256`: the SHA-256 of the certificate's DER. */
export function formatPairingCode(secret: Buffer, certificateSha256: Buffer): string {
  const payload = Buffer.concat([secret, certificateSha256.subarray(0, FINGERPRINT_BYTES)]);
  let bits = "";
  for (const byte of Buffer.concat([payload, checkOf(payload)])) bits += byte.toString(2).padStart(8, "0");
  const text = bits.match(/.{1,5}/g)?.map((five) => ALPHABET[Number.parseInt(five.padEnd(5, "0"), 2)]) ?? [];
  return (
    text
      .join("")
      .match(new RegExp(`.{1,${GROUP}}`, "g"))
      ?.join("-") ?? ""
  );
}

/** Reads a code as a person may have typed it; null when it cannot be one. */
export function parsePairingCode(text: string): PairingCode | null {
  const plain = text.toUpperCase().replaceAll(/[\s-]/g, "").replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  if (plain.length !== LENGTH) return null;
  let bits = "";
  for (const letter of plain) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) return null;
    bits += value.toString(2).padStart(5, "0");
  }
  if (bits.slice(Math.floor(bits.length / 8) * 8).includes("1")) return null;
  const bytes = Buffer.from(bits.match(/.{8}/g)?.map((eight) => Number.parseInt(eight, 2)) ?? []);
  const payload = bytes.subarray(0, SECRET_BYTES + FINGERPRINT_BYTES);
  if (!checkOf(payload).equals(bytes.subarray(payload.length, payload.length + CHECK_BYTES))) return null;
  return { secret: payload.subarray(0, SECRET_BYTES), fingerprint: payload.subarray(SECRET_BYTES) };
}

/** Whether a certificate (DER) is the one that the code was made for. */
export function isCodeFor(code: PairingCode, certificate: Buffer): boolean {
  return createHash("sha256").update(certificate).digest().subarray(0, FINGERPRINT_BYTES).equals(code.fingerprint);
}

/**
 * Hex. Shows that its sender holds the secret; bound to this certificate and to the token that is to be known from
 * now on, so that it is worth nothing with another one.
 */
export function pairingProof(secret: Buffer, certificate: Buffer, tokenSha256: string): string {
  const fingerprint = createHash("sha256").update(certificate).digest("hex");
  return createHmac("sha256", secret).update(`driftline pair 1\n${fingerprint}\n${tokenSha256}`).digest("hex");
}
