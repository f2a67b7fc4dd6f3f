/** What an agent with a state directory can do about who may talk to it. */
import type { Logger } from "pino";
import { ProblemError } from "#contract/problem.ts";
import { derOf } from "./identity.ts";
import { takeOffer } from "./offer.ts";
import { TokenStore } from "./tokens.ts";

export type PairClaim = { engine: string; tokenSha256: string; proof: string };

export class Pairing {
  readonly tokens: TokenStore;
  readonly #folder: string | null;
  readonly #certificate: Buffer | null;
  readonly #log: Logger;

  /** `cert`: the PEM that this agent shows; null without TLS, and then nobody can be paired. */
  constructor(parts: { folder: string | null; cert: string | null; log: Logger }) {
    this.#folder = parts.folder;
    this.#certificate = parts.cert === null ? null : derOf(parts.cert);
    this.#log = parts.log;
    this.tokens = new TokenStore(parts.folder);
  }

  /** Takes an engine's token for as long as it is not revoked. @throws ProblemError forbidden, conflict */
  pair({ engine, tokenSha256, proof }: PairClaim, traceId: string): void {
    if (this.#folder === null || this.#certificate === null) {
      throw new ProblemError("forbidden", "This agent cannot be paired: it has no stateDir, or does not speak TLS.");
    }
    try {
      takeOffer(this.#folder, this.#certificate, { tokenSha256, proof });
      this.tokens.add(engine, tokenSha256);
    } catch (error) {
      this.#log.warn({ traceId, engine, why: error instanceof Error ? error.message : "" }, "pairing refused");
      throw error;
    }
    this.#log.info({ traceId, engine }, "paired");
  }
}
