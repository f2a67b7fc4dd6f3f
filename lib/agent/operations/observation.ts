/** Seals a read with its digests, and says only that much of it that the caller does not have. */
import { createHash } from "node:crypto";
import { countsDigestInput, countsOf, digestInput } from "#chain/digest.ts";
import type { Observation } from "#chain/model.ts";
import type { DomainItem } from "../driver.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Adds the digests. */
export function sealObservation(draft: Omit<Observation, "digest" | "countsDigest">): Observation {
  const unsealed = { ...draft, digest: "", countsDigest: "" };
  return { ...unsealed, digest: sha256(digestInput(unsealed)), countsDigest: sha256(countsDigestInput(unsealed)) };
}

/** The observation, or just its digest (and its counts where only these moved) when the caller knows the rest. */
export function toItem(observation: Observation, known: string | undefined): DomainItem {
  const { vmId, digest, countsDigest, observedAt } = observation;
  const [knownDigest, knownCounts] = known?.split(":") ?? [];
  if (knownDigest !== digest) return { type: "observation", observation };
  const counts = knownCounts === countsDigest ? null : countsOf(observation);
  return { type: "unchanged", vmId, digest, countsDigest, observedAt, counts };
}
