/** Requests made from an OpenAPI document: as it describes them, or with something in them that nobody described. */
import fc from "fast-check";
import { allowed, junk, type Schema } from "#agent/testing/json-schema.ts";

type Operation = {
  operationId: string;
  parameters?: { name: string; in: "path" | "query"; schema: Schema }[];
  requestBody?: { content: { "application/json": { schema: Schema } } };
};
export type Endpoint = { method: string; path: string; operation: Operation };

export const endpointsOf = (document: unknown): Endpoint[] =>
  Object.entries((document as { paths: Record<string, Record<string, Operation>> }).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );

/** Of a value's texts some are what there is: `picks` says which, anything from `real.length` on leaves a text alone. */
function withReal(value: unknown, real: readonly string[], picks: number[]): unknown {
  if (typeof value === "string") return real[picks.pop() ?? real.length] ?? value;
  if (Array.isArray(value)) return value.map((one) => withReal(one, real, picks));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withReal(inner, real, picks)]));
}

/** `real`: what stands in the path for ids that there are, and here and there in queries and bodies. */
export function requestTo(endpoint: Endpoint, real: Record<string, string>) {
  const { operation, path, method } = endpoint;
  const schema = operation.requestBody?.content["application/json"].schema;
  const queries = (operation.parameters ?? []).filter((one) => one.in === "query").map((one) => one.name);
  const values = Object.values(real);
  const body = schema ? fc.oneof({ weight: 4, arbitrary: allowed(schema) }, junk) : fc.constant(undefined);
  // What a call does not know in its query it refuses at once: not so often that nothing else is ever looked at.
  const named = { weight: queries.length > 0 ? 3 : 1, arbitrary: fc.constantFrom(...queries, "surprise") };
  const query = fc.oneof(named, { weight: queries.length > 0 ? 1 : 7, arbitrary: fc.constant(null) });
  const ids = fc.constantFrom("real", "real", "real", "other", "junk");
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom("..", "' or 1=1 --", "<a/>", "\u0000", "\u{1f600}"),
    fc.constantFrom(...values),
  );
  const picks = fc.array(fc.nat({ max: values.length * 4 }), { minLength: 12, maxLength: 12 });
  return fc.record({ body, query, ids, text, picks, uuid: fc.uuid({ version: 4 }) }).map((made) => {
    const address = path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
      if (made.ids === "real") return encodeURIComponent(real[name] ?? made.uuid);
      return encodeURIComponent(made.ids === "other" ? made.uuid : `!${made.text.toWellFormed()}`);
    });
    const search = made.query === null ? "" : `?${new URLSearchParams({ [made.query]: made.text })}`;
    const sent = method === "GET" ? undefined : withReal(made.body, values, [...made.picks]);
    return { address: `${address}${search}`, body: sent, key: made.uuid };
  });
}
