/**
 * Every endpoint of the OpenAPI document, with requests that are wrong in one place: whatever is sent, the answer is a
 * problem that names the place, it is never our failure, and nothing has changed.
 */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { personName } from "#contract/engine-people.ts";
import { type Problem, problemSchema } from "#contract/problem.ts";
import { openApiDocument } from "./http/openapi.ts";
import { readHost } from "./observe/read.ts";
import type { Engine } from "./state.ts";
import { type Answer, call, openRig, type Rig, snapshot } from "./testing/rig.ts";

type Schema = {
  type?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
};
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
/** Refusals are audited and keys are counted: that is no change of what the request was about. */
const MOVES = ["audit_log"];

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

/** A body that is right, and which values of its fields are right too. */
type Good = { body: () => Record<string, unknown>; isRight: (field: string, value: unknown) => boolean };
const isText = (value: unknown, most: number) => typeof value === "string" && value.length <= most;
const APPLY: Good = {
  body: () => ({}),
  isRight: (field, value) =>
    field === "acknowledged"
      ? Array.isArray(value) && value.every((item) => isText(item, 300))
      : isText(value, field === "confirm" ? 250 : 1_000),
};
const isHostName = (field: string, value: unknown) => field === "name" && typeof value === "string" && value !== "";
const GOOD: Record<string, Good> = {
  "/hosts": { body: () => ({ name: "new", url: "https://192.0.2.1:7411", code: "none" }), isRight: isHostName },
  "/hosts/{hostId}": { body: () => ({}), isRight: isHostName },
  "/vms/{vmId}/checkpoints": {
    body: () => ({ id: "new1", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] }),
    isRight: (field, value) =>
      (field === "id" && typeof value === "string" && /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/.test(value)) ||
      (field === "parentId" && value === null) ||
      (field === "disks" && JSON.stringify(value) === '["vda"]'),
  },
  "/vms/{vmId}/plans": {
    body: () => ({ intent: "adopt", params: { checkpointIds: ["cp1"] } }),
    isRight: () => false,
  },
  "/plan-groups": {
    body: () => ({ vmIds: [valid.vmId], request: { intent: "adopt", params: { checkpointIds: ["cp1"] } } }),
    isRight: () => false,
  },
  "/users": { body: () => ({ email: "x@example.org", role: "viewer" }), isRight: () => false },
  "/users/{userId}/role": { body: () => ({ role: "viewer" }), isRight: () => false },
  "/api-keys": {
    body: () => ({ name: "a key", role: "viewer" }),
    isRight: (field, value) => field === "name" && personName.safeParse(value).success,
  },
  "/account/password": {
    body: () => ({ current: "a password of mine", next: "another password" }),
    isRight: (field, value) => isText(value, 128) && String(value).length >= (field === "next" ? 12 : 1),
  },
  "/plans/{planId}/apply": APPLY,
  "/plan-groups/{groupId}/apply": {
    ...APPLY,
    isRight: (field, value) =>
      field === "acknowledged" ? JSON.stringify(value) === "[]" : APPLY.isRight(field, value),
  },
};

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
  expect(problem.code, JSON.stringify({ address, body, problem })).toBe("invalid_input");
  expect(
    fields.some((one) => one === field || one.startsWith(`${field}[`) || one.startsWith(`${field}.`)),
    JSON.stringify({ field, fields, address, body }),
  ).toBe(true);
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
const anyJson = fc.jsonValue({ maxDepth: 3 });
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
            await assertRefused(endpoint, address, parameter.name);
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

  const schema = bodyOf(endpoint);
  const fields = Object.keys(schema?.properties ?? {});
  const { body: good, isRight }: Good = GOOD[endpoint.path] ?? { body: () => ({}), isRight: () => false };
  if (fields.length > 0)
    test("each field of the body that is wrong, missing or unknown is named", () =>
      unchanged(async () => {
        for (const field of schema?.required ?? []) {
          const { [field]: _left, ...rest } = good();
          await assertRefused(endpoint, pathOf(endpoint, valid), field, rest);
        }
        await assertRefused(endpoint, pathOf(endpoint, valid), "domain", { ...good(), domain: "<x/>" });
        await fc.assert(
          fc.asyncProperty(fc.constantFrom(...fields), anyJson, async (field, value) => {
            fc.pre(!isRight(field, value) && !JSON.stringify(value).includes("\\u0000"));
            const body = { ...good(), [field]: value };
            await assertRefused(endpoint, pathOf(endpoint, valid), field, body);
          }),
          { numRuns: 150 },
        );
      }));

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
        expect(assertProblem(large, "large").code).toBe("too_large");
        const stray = await call(engine, endpoint.method, address, {
          body: { ...good(), vmId: valid.vmId, surprise: 1 },
        });
        expect(assertProblem(stray, "stray").code).toBe("invalid_input");
      }));
});
