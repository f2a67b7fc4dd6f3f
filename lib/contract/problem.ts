/** The one shape of every error answer (RFC 9457), and the closed set of its codes. */
import { z } from "zod";

/** code → HTTP status, whether the same request may succeed later without any change where nothing else is said, and the title. */
export const PROBLEMS = {
  invalid_input: { status: 422, retryable: false, title: "The request is not valid" },
  malformed: { status: 400, retryable: false, title: "The request cannot be read" },
  unauthenticated: { status: 401, retryable: false, title: "Sign in or send an API key" },
  forbidden: { status: 403, retryable: false, title: "Your role does not allow this" },
  csrf_rejected: { status: 403, retryable: false, title: "The request did not come from this site" },
  not_found: { status: 404, retryable: false, title: "There is no such thing" },
  method_not_allowed: { status: 405, retryable: false, title: "This address does not take that method" },
  conflict: { status: 409, retryable: false, title: "It exists already, or something else is in the way" },
  vm_busy: { status: 409, retryable: true, title: "Another job holds this VM" },
  plan_out_of_date: { status: 409, retryable: false, title: "The plan's basis has changed" },
  too_large: { status: 413, retryable: false, title: "The request is too large" },
  rate_limited: { status: 429, retryable: true, title: "Too many requests" },
  cannot_tell: { status: 424, retryable: true, title: "The host could not be read" },
  unsupported: { status: 422, retryable: false, title: "This host or disk cannot do that" },
  not_implemented: { status: 501, retryable: false, title: "Not available" },
  unavailable: { status: 503, retryable: true, title: "A service that is needed does not answer" },
  timeout: { status: 504, retryable: true, title: "It took too long" },
  internal: { status: 500, retryable: true, title: "Something failed on our side" },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
  detail: z.string(),
  retryable: z.boolean(),
  /** What the request was about: a VM id, a host id, a path. */
  subject: z.string().nullable(),
  traceId: z.string(),
  /** The host's own words, where a host answered. */
  hostMessage: z.string().nullable().optional(),
  /** Every offence of a request that is not valid: `field` is a path such as `checkpoints[3].id`. */
  errors: z.array(z.object({ field: z.string(), reason: z.string() })).optional(),
});
export type Problem = z.infer<typeof problemSchema>;

/** Thrown by verbs; the HTTP layer turns it into a `Problem` and adds the trace id. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly subject: string | null;
  readonly hostMessage: string | null;
  readonly errors: { field: string; reason: string }[] | undefined;
  readonly retryable: boolean;

  constructor(
    code: ProblemCode,
    detail: string,
    more: {
      subject?: string | null;
      hostMessage?: string | null;
      errors?: { field: string; reason: string }[];
      /** Where more is known than the code says. */
      retryable?: boolean;
    } = {},
  ) {
    super(detail);
    this.name = "ProblemError";
    this.code = code;
    this.subject = more.subject ?? null;
    this.hostMessage = more.hostMessage ?? null;
    this.errors = more.errors;
    this.retryable = more.retryable ?? PROBLEMS[code].retryable;
  }

  toProblem(traceId: string): Problem {
    const known = PROBLEMS[this.code];
    return {
      type: `urn:driftline:problem:${this.code}`,
      title: known.title,
      status: known.status,
      code: this.code,
      detail: this.message,
      retryable: this.retryable,
      subject: this.subject,
      traceId,
      hostMessage: this.hostMessage,
      ...(this.errors ? { errors: this.errors } : {}),
    };
  }
}
