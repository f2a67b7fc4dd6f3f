/** The header that names one wish of a caller: the same key again is answered with what the first call did. */
import type { OpenAPI } from "@orpc/contract";

export const IDEMPOTENCY_HEADER = "Idempotency-Key";
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,200}$/;

/** For the document: the header is read beside the body, where no schema sees it. */
export function needsIdempotencyKey(operation: OpenAPI.OperationObject): OpenAPI.OperationObject {
  const header: OpenAPI.ParameterObject = {
    name: IDEMPOTENCY_HEADER,
    in: "header",
    required: true,
    description: "Names one wish: the same key again is answered with what the first call did, and does nothing more.",
    schema: { type: "string", pattern: IDEMPOTENCY_KEY.source, minLength: 1, maxLength: 200 },
  };
  return { ...operation, parameters: [...(operation.parameters ?? []), header] };
}
