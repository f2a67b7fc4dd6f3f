/**
 * Every endpoint of the OpenAPI document, with requests that are wrong in one place, at every depth: whatever is sent, the
 * answer is a problem that names that place and no other, it is never our failure, and nothing has changed. One place is
 * named by what it lies in: the `params` of a plan to prune are one of four kinds, and nothing in them says which.
 */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  allowed,
  fieldOf,
  junk,
  type Path,
  placesOf,
  type Schema,
  valueAt,
  waysThrough,
  withValueAt,
} from "#agent/testing/json-schema.ts";
import { type Problem, problemSchema } from "#contract/problem.ts";
import { openApiDocument } from "./http/openapi.ts";
import { readHost } from "./observe/read.ts";
import type { Engine } from "./state.ts";
import { type Answer, call, openRig, type Rig, snapshot } from "./testing/rig.ts";

type Parameter = { name: string; in: "path" | "query"; required?: boolean; schema: Schema };
type Operation = {
  operationId: string;
  parameters?: Parameter[];
  requestBody?: { content: { "application/json": { schema: Schema } } };
};
type Endpoint = { method: string; path: string; operation: Operation };

const document = (await openApiDocument()) as { paths: Record<string, Record<string, Operation>> };
const endpoints: Endpoint[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);
const paramsOf = ({ operation }: Endpoint, where: "path" | "query") =>
  (operation.parameters ?? []).filter((parameter) => parameter.in === where);
const bodyOf = ({ operation }: Endpoint) => operation.requestBody?.content["application/json"].schema;

let rig: Rig;
let engine: Engine;
let url: string;
let valid: Record<string, string>;
/** Refusals are audited, and keys and attempts counted: that is no change of what the request was about. */
const MOVES = ["audit_log", "auth_rate_limits"];

beforeAll(async () => {
  rig = await openRig();
  url = await rig.newDatabase();
  const host = await rig.newHost("fuzzed");
  const vmId = randomUUID();
  host.sim.define(vmId, "fuzzed", [{ target: "vda", sizeMiB: 64 }]);
  host.sim.start(vmId);
  host.sim.checkpoint(vmId, "cp1");
  engine = await rig.newEngine(url, [host]);
  for (const one of engine.hosts.values()) await readHost(engine, one);
  const [hostId = ""] = engine.hosts.keys();
  valid = { vmId, hostId, target: "vda", name: "cp1", jobId: randomUUID(), planId: randomUUID() };
  for (const name of ["groupId", "backupId", "userId", "sessionId", "keyId"]) valid[name] = randomUUID();
});
afterAll(() => rig.close());

/** What the schemas cannot say of a field in words of JSON Schema, and values of which it is true. */
const RIGHT: Record<string, unknown> = { url: "https://192.0.2.1:7411", name: "a name" };

/** One schema for each kind of body. The document tells a plan's `intent` and `params` apart only where a group holds them. */
function bodiesOf(endpoint: Endpoint): Schema[] {
  const grouped = document.paths["/plan-groups"]?.post?.requestBody?.content["application/json"].schema;
  const schema = endpoint.path === "/vms/{vmId}/plans" ? grouped?.properties?.request : bodyOf(endpoint);
  return schema ? waysThrough(schema) : [];
}
/** A body that is right in shape and has everything that it can have. */
function goodBody(schema: Schema | undefined): Record<string, unknown> {
  if (!schema) return {};
  const [body] = fc.sample(allowed(schema, true), { numRuns: 1, seed: 1 }) as Record<string, unknown>[];
  return Object.fromEntries(Object.entries(body ?? {}).map(([key, value]) => [key, RIGHT[key] ?? value]));
}
/** Values that the schema of a place does not allow; of a pattern with classes of Unicode only the other types tell it. */
function wrongValues(schema: Schema, seed: number): unknown[] {
  const check = z.fromJSONSchema(schema as never);
  const mayBeRight = (value: unknown) => typeof value === "string" && schema.pattern?.includes("\\p{");
  return fc
    .sample(junk, { numRuns: 60, seed })
    .filter((value) => !mayBeRight(value) && !JSON.stringify(value).includes("\\u0000"))
    .filter((value) => !check.safeParse(value).success)
    .slice(0, 4);
}
/** What the answer names for a place: the place, or the union around it that nothing tells apart. */
function nameOf(path: Path, places: { path: Path; schema: Schema }[]): string {
  const around = places.find((one) => one.schema.isUntold && one.path.every((key, i) => key === path[i]));
  return fieldOf(around?.path ?? path);
}

const pathOf = (endpoint: Endpoint, values: Record<string, string>) =>
  endpoint.path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));

function assertProblem(answer: Answer, what: unknown): Problem {
  const seen = JSON.stringify({ what, status: answer.status, body: answer.body });
  expect(answer.status, seen).toBeGreaterThanOrEqual(400);
  expect(answer.status, seen).toBeLessThan(500);
  expect(answer.type, seen).toBe("application/problem+json");
  const problem = problemSchema.parse(answer.body);
  expect(problem.status, seen).toBe(answer.status);
  expect(problem.traceId, seen).toBe(answer.headers.get("x-trace-id"));
  return problem;
}

async function assertRefused(endpoint: Endpoint, address: string, field: string, body?: unknown): Promise<void> {
  const answer = await call(engine, endpoint.method, address, { body });
  const problem = assertProblem(answer, { address, body });
  const fields = (problem.errors ?? []).map((error) => error.field);
  const seen = JSON.stringify({ field, address, body, problem });
  expect(problem.code, seen).toBe("invalid_input");
  expect(fields.length, seen).toBeGreaterThan(0);
  const names = (one: string) => one === field || one.startsWith(`${field}[`) || one.startsWith(`${field}.`);
  expect(
    fields.filter((one) => !names(one)),
    seen,
  ).toEqual([]);
}

/** Nothing that any path parameter of ours is: ids are UUIDs, targets are short and in lower case. */
const badPathValue = fc.oneof(
  fc.string({ minLength: 1, maxLength: 60 }).map((text) => `!${text}`),
  fc.constantFrom(
    "..",
    "%",
    "' or 1=1 --",
    "\u0000",
    "😀",
    "A".repeat(2_000),
    "-1",
    "../../etc/passwd",
    "00000000-0000-0000-0000-00000000000G",
  ),
);
const strangeText = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("\u0000", "'; drop table vms; --", "%00", "[]", "{}", "NaN", "-0", "1e309", "9".repeat(400)),
);

const unchanged = async (work: () => Promise<void>) => {
  const before = await snapshot(url, MOVES);
  await work();
  expect(await snapshot(url, MOVES)).toBe(before);
};

test("the document has every endpoint that this test must cover", () => {
  expect(endpoints.length).toBeGreaterThanOrEqual(21);
  expect(endpoints.map((endpoint) => endpoint.path)).toEqual(
    expect.arrayContaining([
      "/vms",
      "/vms/{vmId}/chain",
      "/vms/{vmId}/checkpoints",
      "/plans/{planId}",
      "/jobs/{jobId}",
      "/vms/{vmId}/bundle",
    ]),
  );
});

describe.each(endpoints)("$method $path", (endpoint) => {
  test("without a key it is refused, and changes nothing", () =>
    unchanged(async () => {
      const answer = await call(engine, endpoint.method, pathOf(endpoint, valid), { role: null });
      expect(assertProblem(answer, endpoint.path).code).toBe("unauthenticated");
    }));

  test("another method is refused with those that there are", async () => {
    const others = ["PUT", "PATCH", "DELETE", "POST", "GET"].filter(
      (method) => !endpoints.some((one) => one.path === endpoint.path && one.method === method),
    );
    for (const method of others) {
      const answer = await call(engine, method, pathOf(endpoint, valid));
      expect(assertProblem(answer, method).code).toBe("method_not_allowed");
      expect(answer.headers.get("allow")).toContain(endpoint.method);
    }
  });

  const inPath = paramsOf(endpoint, "path").filter((parameter) => parameter.name !== "name");
  if (inPath.length > 0)
    test("a path parameter that is none is named", () =>
      unchanged(() =>
        fc.assert(
          fc.asyncProperty(fc.constantFrom(...inPath), badPathValue, async (parameter, value) => {
            const address = pathOf(endpoint, { ...valid, [parameter.name]: value });
            // Dots are taken out of an address before it is sent: it is another address then.
            fc.pre(new URL(`http://x/api/v1${address}`).pathname === `/api/v1${address}`);
            const body = endpoint.method === "GET" ? undefined : goodBody(bodiesOf(endpoint)[0]);
            await assertRefused(endpoint, address, parameter.name, body);
          }),
          { numRuns: 25 },
        ),
      ));

  test("a query that there is not is named", () =>
    unchanged(() =>
      fc.assert(
        fc.asyncProperty(fc.stringMatching(/^[a-z]{3,12}x9$/), strangeText, async (name, value) => {
          const address = `${pathOf(endpoint, valid)}?${new URLSearchParams({ [name]: value })}`;
          await assertRefused(endpoint, address, name);
        }),
        { numRuns: 10 },
      ),
    ));

  const inQuery = paramsOf(endpoint, "query");
  if (inQuery.length > 0)
    test("whatever stands in a query, the answer is a page or a problem that names it", () =>
      unchanged(() =>
        fc.assert(
          fc.asyncProperty(fc.constantFrom(...inQuery), strangeText, async (parameter, value) => {
            // A stream that is opened would not end: there only what can never be right is sent.
            const sent = endpoint.path === "/events" ? `!${value}` : value;
            const address = `${pathOf(endpoint, valid)}?${new URLSearchParams({ [parameter.name]: sent })}`;
            const answer = await call(engine, endpoint.method, address);
            if (answer.status === 200) return;
            const problem = assertProblem(answer, address);
            expect(["invalid_input", "not_found", "cannot_tell", "unsupported"], JSON.stringify(problem)).toContain(
              problem.code,
            );
            if (problem.code === "invalid_input")
              expect(problem.errors?.map((error) => error.field)).toContain(parameter.name);
          }),
          { numRuns: 60 },
        ),
      ));

  for (const [i, schema] of bodiesOf(endpoint).entries()) {
    const good = goodBody(schema);
    const places = placesOf(schema, good).filter(({ path }) => path.length > 0);
    if (places.length === 0) continue;
    const refused = (path: Path, value: unknown) =>
      assertRefused(endpoint, pathOf(endpoint, valid), nameOf(path, places), withValueAt(good, path, value));

    test(`whatever is wrong in one place of the body is named, and nothing else (${i + 1})`, () =>
      unchanged(async () => {
        for (const { path, schema: here } of places) {
          const wrong = wrongValues(here, i);
          expect(wrong.length, fieldOf(path)).toBeGreaterThan(0);
          for (const value of wrong) await refused(path, value);
        }
      }));

    test(`what is missing in the body, or known to nobody, is named, and nothing else (${i + 1})`, () =>
      unchanged(async () => {
        for (const { path, schema: here } of [{ path: [], schema }, ...places]) {
          const object = valueAt(good, path);
          if (typeof object !== "object" || object === null || Array.isArray(object)) continue;
          for (const key of here.required ?? []) await refused([...path, key], undefined);
          await refused([...path, "surprise"], 1);
        }
      }));
  }

  if (endpoint.method !== "GET")
    test("a body that is none is refused before anything happens", () =>
      unchanged(async () => {
        const address = pathOf(endpoint, valid);
        for (const text of ["{", '{"a":}', "\u0000", "nonsense", '"x', "{'a':1}"]) {
          const answer = await call(engine, endpoint.method, address, { text });
          expect(assertProblem(answer, text).code).toBe("malformed");
        }
        for (const text of ["[]", "1", '"x"', "null", "true"]) {
          const answer = await call(engine, endpoint.method, address, { text });
          expect(assertProblem(answer, text).errors?.[0]?.field).toBe("body");
        }
        const xml = await call(engine, endpoint.method, address, {
          text: "<a/>",
          headers: { "content-type": "application/xml" },
        });
        expect(assertProblem(xml, "xml").code).toBe("malformed");
        const large = await call(engine, endpoint.method, address, {
          text: JSON.stringify({ a: "x".repeat(9 * 1024 * 1024) }),
        });
        expect(assertProblem(large, "large").errors?.map(({ field }) => field)).toEqual(["body"]);
        expect(large.status).toBe(422);
        const stray = await call(engine, endpoint.method, address, {
          body: { ...goodBody(bodiesOf(endpoint)[0]), vmId: valid.vmId, surprise: 1 },
        });
        expect(assertProblem(stray, "stray").code).toBe("invalid_input");
      }));
});
