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

/** `real`: what stands in the path for ids that there are; others are made up. */
export function requestTo(endpoint: Endpoint, real: Record<string, string>) {
  const { operation, path } = endpoint;
  const schema = operation.requestBody?.content["application/json"].schema;
  const params = operation.parameters ?? [];
  const queries = params.filter((one) => one.in === "query");
  const body = schema ? fc.oneof({ weight: 3, arbitrary: allowed(schema) }, junk) : fc.constant(undefined);
  const query = fc.option(fc.constantFrom(...queries.map((one) => one.name), "surprise"), { freq: 3 });
  const ids = fc.constantFrom("real", "real", "other", "junk");
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom("..", "' or 1=1 --", "<a/>", "\u0000", "\u{1f600}"),
    fc.constantFrom(...Object.values(real)),
  );
  return fc.record({ body, query, ids, text, uuid: fc.uuid({ version: 4 }) }).map((made) => {
    const address = path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
      if (made.ids === "real") return encodeURIComponent(real[name] ?? made.uuid);
      return encodeURIComponent(made.ids === "other" ? made.uuid : `!${made.text.toWellFormed()}`);
    });
    const search = made.query === null ? "" : `?${new URLSearchParams({ [made.query]: made.text })}`;
    return { address: `${address}${search}`, body: endpoint.method === "GET" ? undefined : made.body };
  });
}
