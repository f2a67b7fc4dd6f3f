/**
 * The open offer to be paired: the secret of the code that was printed, until it is used or its time is up. A file, so
 * that the code can be printed by another process than the one that listens.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { CODE_SECRET_BYTES, formatPairingCode, pairingProof } from "#contract/pairing-code.ts";
import { ProblemError } from "#contract/problem.ts";
import { readPrivate, writePrivate } from "./files.ts";

export const OFFER_MINUTES = 10;

const offerSchema = z.strictObject({ secret: z.string().regex(/^[0-9a-f]{20}$/), expiresAt: z.number() });
const fileOf = (folder: string): string => join(folder, "pairing.json");

/** Makes a new offer in place of any other, and the code that goes with it. `certificate`: DER. */
export function openOffer(folder: string, certificate: Buffer): string {
  const secret = randomBytes(CODE_SECRET_BYTES);
  const expiresAt = Date.now() + OFFER_MINUTES * 60_000;
  writePrivate(fileOf(folder), JSON.stringify({ secret: secret.toString("hex"), expiresAt }));
  return formatPairingCode(secret, createHash("sha256").update(certificate).digest());
}

function closeOffer(folder: string): void {
  try {
    unlinkSync(fileOf(folder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Uses the offer up. @throws ProblemError forbidden: none is open, its time is up, or the proof is not of its secret */
export function takeOffer(folder: string, certificate: Buffer, claim: { tokenSha256: string; proof: string }): void {
  const text = readPrivate(fileOf(folder));
  if (text === null) {
    throw new ProblemError("forbidden", "This agent is not waiting to be paired. Start it with --pair for a code.");
  }
  const offer = offerSchema.parse(JSON.parse(text));
  if (Date.now() > offer.expiresAt) {
    closeOffer(folder);
    throw new ProblemError("forbidden", `The code was valid for ${OFFER_MINUTES} minutes. Ask the agent for another.`);
  }
  const expected = pairingProof(Buffer.from(offer.secret, "hex"), certificate, claim.tokenSha256);
  if (!timingSafeEqual(Buffer.from(expected, "hex"), Buffer.from(claim.proof, "hex"))) {
    throw new ProblemError("forbidden", "The code is not the one that this agent printed last.");
  }
  // Before anything is made of it: a code that was used is used, whatever happens next.
  closeOffer(folder);
}
