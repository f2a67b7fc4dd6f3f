/** Everything that can go wrong with a request, as the one shape of error answers. */
import { ORPCError, ValidationError } from "@orpc/contract";
import type { ObserveError, ObserveErrorCode } from "#chain/model.ts";
import { type ProblemCode, ProblemError } from "#contract/problem.ts";
import { HostFailure } from "../failure.ts";

const CODE: Record<ObserveErrorCode, ProblemCode> = {
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
  internal: "internal",
};

/** The problem of a read that failed as a whole. */
export function problemOfObserveError(error: ObserveError, subject: string | null = null): ProblemError {
  return new ProblemError(CODE[error.code], error.message, { subject, hostMessage: error.hostMessage });
}

type Offence = { field: string; reason: string };
type Issue = {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
  /** zod: the keys that a strict object does not know. */
  readonly keys?: string[];
  /** zod: why a record's key is not valid. */
  readonly issues?: { message: string }[];
};

/** `checkpoints[3].id`; `(body)` for the whole. */
export function formatPath(path: Issue["path"]): string {
  let text = "";
  for (const part of path ?? []) {
    const key = typeof part === "object" ? part.key : part;
    if (typeof key === "number") text += `[${key}]`;
    else text += text === "" ? String(key) : `.${String(key)}`;
  }
  return text === "" ? "(body)" : text;
}

const MOST_OFFENCES = 1000;

/** One offence per field and fault; an unknown key is a field of its own. */
function toOffences(issues: readonly Issue[]): Offence[] {
  const offences = issues.flatMap((issue): Offence[] => {
    const path = issue.path ?? [];
    if (issue.keys !== undefined) {
      return issue.keys.map((key) => ({ field: formatPath([...path, key]), reason: "is not a known field" }));
    }
    const inner = issue.issues?.map((i) => i.message).join("; ");
    return [{ field: formatPath(path), reason: inner === undefined || inner === "" ? issue.message : inner }];
  });
  return offences.slice(0, MOST_OFFENCES);
}

export function invalidInput(offences: Offence[]): ProblemError {
  const fields = [...new Set(offences.map((o) => o.field))];
  const shown = fields.slice(0, 10).join(", ") + (fields.length > 10 ? ` and ${fields.length - 10} more` : "");
  return new ProblemError("invalid_input", `Not valid: ${shown}.`, { errors: offences });
}

/** The problem of anything thrown; what we did not foresee says nothing of its inside. */
export function toProblemError(thrown: unknown): ProblemError {
  if (thrown instanceof ProblemError) return thrown;
  if (thrown instanceof HostFailure) return problemOfObserveError(thrown.error);
  if (thrown instanceof ORPCError) {
    if (thrown.cause instanceof ValidationError && thrown.code === "BAD_REQUEST") {
      return invalidInput(toOffences(thrown.cause.issues as readonly Issue[]));
    }
    if (thrown.code === "BAD_REQUEST") return new ProblemError("malformed", "The request cannot be read.");
  }
  return new ProblemError("internal", "The agent failed on this request; its log has the trace id.");
}
