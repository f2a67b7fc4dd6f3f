import type { Host } from "#contract/engine.ts";
import { isCodeFor, type PairingCode, pairingProof, parsePairingCode } from "#contract/pairing-code.ts";
import { ProblemError } from "#contract/problem.ts";
import { findHostLike, insertPairedHost, inTransaction, sealCredential } from "#db/index.ts";
import { createAgentClient } from "../agents/client.ts";
import { AgentRefusal, isAgentFailure, toObserveError } from "../agents/failure.ts";
import { readCertificate, toPem } from "../agents/pin.ts";
import type { Context } from "../state.ts";
import { audit, isTaken, look, newToken, PAIR_MS, sha256, spread } from "./common.ts";
import { getHost } from "./hosts.ts";
import { boundTo } from "./paired.ts";

/** Whoever answers at the address shows the certificate of the code, or nothing is sent to it. Its PEM. */
async function meetAgent(url: string, code: PairingCode): Promise<Buffer> {
  let certificate: Buffer;
  try {
    certificate = await readCertificate(url, PAIR_MS);
  } catch (error) {
    const hostMessage = error instanceof Error ? error.message : String(error);
    throw new ProblemError("unavailable", `No agent answers at ${url}.`, { hostMessage });
  }
  if (!isCodeFor(code, certificate)) {
    const detail = `Who answers at ${url} does not show the certificate that the code was made for. It is another agent, or somebody between here and there.`;
    throw new ProblemError("conflict", detail);
  }
  return certificate;
}

type Introduction = { name: string; url: string; code: string };

/** The engine makes the token and tells the agent its hash only; the agent never has what could open another's door. */
async function introduce({ engine }: Context, { url, code: text }: Introduction) {
  const code = parsePairingCode(text);
  if (!code) throw new ProblemError("invalid_input", "Not valid: code.", { errors: [WRONG_CODE] });
  if (!engine.sealer) {
    throw new ProblemError(
      "unavailable",
      "This server has no secret key to keep tokens under: see DRIFTLINE_SECRET_KEY.",
    );
  }
  const certificate = await meetAgent(url, code);
  const pin = toPem(certificate);
  const token = newToken();
  const tokenSha256 = sha256(token);
  const agent = createAgentClient({ url, pin, token: () => null });
  try {
    const proof = pairingProof(code.secret, certificate, tokenSha256);
    await agent.api.pair({ engine: "driftline", tokenSha256, proof }, { signal: AbortSignal.timeout(PAIR_MS) });
  } catch (error) {
    if (error instanceof AgentRefusal && error.problem) {
      throw new ProblemError("conflict", `The agent refused: ${error.problem.detail}`);
    }
    if (!isAgentFailure(error)) throw error;
    throw new ProblemError("unavailable", `The agent at ${url} did not answer.`, {
      hostMessage: toObserveError(error, url).hostMessage,
    });
  } finally {
    await agent.close();
  }
  return { pin, token };
}
const WRONG_CODE = { field: "code", reason: "is not a code as the agent prints it: look for a slip of the hand" };

/** Pairs a host with its agent's one-time code. A host of this name that was retired comes back with its history. */
export async function pairHost(context: Context, input: Introduction): Promise<Host> {
  const { engine } = context;
  const { name } = input;
  const url = new URL(input.url).origin;
  const like = await findHostLike(engine.db.orm, { name, url });
  if (like) throw isTaken(like.name === name ? `The name ${name}` : `The address ${url}`);
  try {
    const { pin, token } = await introduce(context, { ...input, url });
    const { sealer } = engine;
    const hostId = await inTransaction(engine.db, async (tx) => {
      const id = await insertPairedHost(tx, { name, url });
      if (id === null || !sealer) throw isTaken(`The name ${name}`);
      await sealCredential(tx, id, { certificate: pin, sealedToken: sealer.seal(token, boundTo(id, pin)) });
      await audit(context, tx, { action: "hosts.pair", subject: id, detail: `${name} at ${url}` });
      return id;
    });
    await spread(engine);
    await look(engine, hostId);
    return getHost(context, { hostId });
  } catch (error) {
    if (error instanceof ProblemError && error.code !== "invalid_input") {
      const detail = `${name} at ${url}: ${error.message}`;
      await audit(context, engine.db.orm, { action: "hosts.pair", subject: null, detail, outcome: "failed" });
    }
    throw error;
  }
}
