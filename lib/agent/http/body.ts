/** Reads a request's JSON body with bounds, before anything else looks at it. */
import type { IncomingMessage } from "node:http";
import { LIMITS } from "#chain/limits.ts";
import { BodyTooLarge, invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";

/** So much more is read and thrown away: a client that is cut off while it sends never reads its answer. */
const DRAIN_BYTES = 4 * LIMITS.bodyBytes;

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size <= LIMITS.bodyBytes) chunks.push(chunk as Buffer);
    else {
      chunks.length = 0;
      if (size > DRAIN_BYTES) throw new BodyTooLarge();
    }
  }
  if (size > LIMITS.bodyBytes) throw new BodyTooLarge();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new ProblemError("malformed", "The body is not UTF-8.");
  }
}

/** The body as an object; nothing at all counts as `{}`. @throws ProblemError malformed, invalid_input */
export async function readJsonBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const text = await readText(request);
  if (text.trim() === "") return {};
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new ProblemError("malformed", "The body must be sent as application/json.");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw new ProblemError("malformed", `The body is not JSON: ${thrown instanceof Error ? thrown.message : ""}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidInput([{ field: "body", reason: "must be an object" }]);
  }
  return value as Record<string, unknown>;
}
