/** The header that names one wish of a caller: the same key again is answered with what the first call did. */
import type { OpenAPI } from "@orpc/contract";

export const IDEMPOTENCY_HEADER = "Idempotency-Key";
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,200}$/;

/** For the document: the header is read beside the body, where no schema sees it. */
export const needsIdempotencyKey = (operation: OpenAPI.OperationObject) => withHeader(operation, true);
/** Without it each call is a wish of its own. */
export const takesIdempotencyKey = (operation: OpenAPI.OperationObject) => withHeader(operation, false);

function withHeader(operation: OpenAPI.OperationObject, required: boolean): OpenAPI.OperationObject {
  const header: OpenAPI.ParameterObject = {
    name: IDEMPOTENCY_HEADER,
    in: "header",
    required,
    description: "Names one wish: the same key again is answered with what the first call did, and does nothing more.",
    schema: { type: "string", pattern: IDEMPOTENCY_KEY.source, minLength: 1, maxLength: 200 },
  };
  return { ...operation, parameters: [...(operation.parameters ?? []), header] };
}
