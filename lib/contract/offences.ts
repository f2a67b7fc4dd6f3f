/** What is wrong with a request, field by field, and what a failed read means for who asked; the same in both APIs. */
import { LIMITS } from "#chain/limits.ts";
import type { ObserveError, ObserveErrorCode } from "#chain/model.ts";
import { type ProblemCode, ProblemError } from "./problem.ts";

export type Offence = { field: string; reason: string };
/** What a schema library says of one mistake (Standard Schema), with zod's own additions. */
export type SchemaIssue = {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
  /** zod: the keys that a strict object does not know. */
  readonly keys?: readonly string[];
  /** zod: why a record's key is not valid. */
  readonly issues?: readonly { message: string }[];
};

/** `checkpoints[3].id`; "" for the whole. */
export function formatPath(path: SchemaIssue["path"]): string {
  let text = "";
  for (const part of path ?? []) {
    const key = typeof part === "object" ? part.key : part;
    if (typeof key === "number") text += `[${key}]`;
    else text += text === "" ? String(key) : `.${String(key)}`;
  }
  return text;
}

const MOST_OFFENCES = 1000;

/** One offence per field and fault; an unknown key is a field of its own; `body` is the whole. */
export function toOffences(issues: readonly SchemaIssue[]): Offence[] {
  const offences = issues.flatMap((issue): Offence[] => {
    const path = issue.path ?? [];
    if (issue.keys !== undefined) {
      return issue.keys.map((key) => ({ field: formatPath([...path, key]), reason: "is not a known field" }));
    }
    const inner = issue.issues?.map(({ message }) => message).join("; ");
    return [{ field: formatPath(path) || "body", reason: inner || issue.message }];
  });
  return offences.slice(0, MOST_OFFENCES);
}

/**
 * Fields of the path that the body or the query names again, and a query where only a body belongs: refused, not ignored.
 * @param params names of the fields in the path
 */
export function findStrays(
  { method, params }: { method: string; params: readonly string[] },
  query: URLSearchParams,
  body: Record<string, unknown>,
): Offence[] {
  const strays = [
    ...[...query.keys()].filter((key) => method !== "GET" || params.includes(key)),
    ...Object.keys(body).filter((key) => params.includes(key)),
  ];
  return [...new Set(strays)].map((field) => ({ field, reason: "does not belong here" }));
}

/** 422 with every offence; its sentence names the first ten fields. */
export function invalidInput(errors: Offence[]): ProblemError {
  const fields = [...new Set(errors.map(({ field }) => field))];
  const more = fields.length > 10 ? ` and ${fields.length - 10} more` : "";
  return new ProblemError("invalid_input", `Not valid: ${fields.slice(0, 10).join(", ")}${more}.`, { errors });
}

/** 422, with nothing done; what came after the limit may not have been read. */
export class BodyTooLarge extends ProblemError {
  constructor() {
    const reason = `has at most ${LIMITS.bodyBytes} bytes`;
    super("invalid_input", `The request's body is too large: it ${reason}.`, { errors: [{ field: "body", reason }] });
  }
}

const OF_READ: Record<ObserveErrorCode, ProblemCode> = {
  "agent-unreachable": "unavailable",
  "agent-refused": "unavailable",
  "libvirt-unreachable": "unavailable",
  "permission-denied": "cannot_tell",
  "image-locked": "cannot_tell",
  "image-missing": "cannot_tell",
  unreadable: "cannot_tell",
  "qmp-forbidden": "unsupported",
  "qmp-failed": "cannot_tell",
  timeout: "timeout",
  "lock-held": "vm_busy",
  "domain-changed": "cannot_tell",
  "tool-missing": "unsupported",
  "unsupported-source": "unsupported",
  internal: "cannot_tell",
};

/** A host that could not be read, as the answer to a request that needed it: for good, or for now, as whoever read it said. */
export function problemOfRead(error: ObserveError, subject: string | null = null): ProblemError {
  const { code, message, hostMessage, retryable } = error;
  return new ProblemError(OF_READ[code], message, { subject, hostMessage, retryable });
}
