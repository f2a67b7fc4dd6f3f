/**
 * Every endpoint of the agent's OpenAPI document, with requests made from its schemas: wrong in one place, each is refused
 * with a problem that names the place; right in shape, each is answered below 500; and nothing has changed on the host.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { problemSchema } from "#contract/problem.ts";
import { type Agent, startAgent } from "./agent.ts";
import { parseConfig } from "./config.ts";
import { makeOpenApi } from "./http/openapi.ts";
import { SimController } from "./simulated/controller.ts";
import { AgentClient } from "./testing/agent-client.ts";
import {
  allowed,
  fieldOf,
  junk,
  type Path,
  placesOf,
  type Schema,
  valueAt,
  withValueAt,
} from "./testing/json-schema.ts";

type Operation = {
  operationId: string;
  parameters?: { name: string; in: "path" | "query"; schema: Schema }[];
  requestBody?: { content: { "application/json": { schema: Schema } } };
};
type Endpoint = { method: string; path: string; operation: Operation };

const document = (await makeOpenApi("test")) as { paths: Record<string, Record<string, Operation>> };
const endpoints: Endpoint[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);
const paramsOf = ({ operation }: Endpoint, where: "path" | "query") =>
  (operation.parameters ?? []).filter((parameter) => parameter.in === where);
const bodyOf = ({ operation }: Endpoint) => operation.requestBody?.content["application/json"].schema;
const withBody = endpoints.filter((endpoint) => bodyOf(endpoint) !== undefined);
const withPath = endpoints.filter((endpoint) => paramsOf(endpoint, "path").length > 0);

const folder = mkdtempSync(join(tmpdir(), "dl-fuzz-"));
const sim = new SimController(join(folder, "state.json"));
const vmId = randomUUID();
const valid: Record<string, string> = { vmId, target: "vda", name: "cp1" };
let agent: Agent;
let client: AgentClient;

beforeAll(async () => {
  sim.define(vmId, "fuzzed", [{ target: "vda", sizeMiB: 64 }]);
  sim.start(vmId);
  sim.checkpoint(vmId, "cp1");
  sim.checkpoint(vmId, "cp2");
  const token = randomUUID();
  const tokenSha256 = [createHash("sha256").update(token).digest("hex")];
  const config = parseConfig({ name: "fuzz", listen: "127.0.0.1:0", libvirtUri: sim.uri, tokenSha256 });
  agent = await startAgent(config, pino({ level: "silent" }));
  client = new AgentClient(agent.address, token);
});
afterAll(async () => {
  await agent?.close();
  rmSync(folder, { recursive: true, force: true });
});

const pathOf = ({ path }: Endpoint, values: Record<string, string>) =>
  `/v1${path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""))}`;

async function send(method: string, address: string, body?: unknown) {
  const init =
    body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await client.request(address, { method, ...init });
  const text = await response.text();
  const seen = JSON.stringify({ method, address, body, status: response.status, text: text.slice(0, 1_000) });
  return { status: response.status, text, seen };
}
function problemOf({ status, text, seen }: Awaited<ReturnType<typeof send>>) {
  expect(status, seen).toBeGreaterThanOrEqual(400);
  expect(status, seen).toBeLessThan(500);
  return problemSchema.parse(JSON.parse(text));
}
async function assertRefused(endpoint: Endpoint, address: string, field: string, body?: unknown): Promise<void> {
  const answer = await send(endpoint.method, address, body);
  const problem = problemOf(answer);
  expect(problem.code, answer.seen).toBe("invalid_input");
  const fields = problem.errors?.map((error) => error.field) ?? [];
  const names = (one: string) => one === field || one.startsWith(`${field}[`) || one.startsWith(`${field}.`);
  // A redefinition is told everything at once: what was made up for its list may be wrong in other places too.
  const others = endpoint.operation.operationId === "redefine" ? [] : fields.filter((one) => !names(one));
  expect(others, `${field}: ${answer.seen}`).toEqual([]);
  expect(fields.filter(names).length, answer.seen).toBeGreaterThan(0);
}
async function unchanged(work: () => Promise<void>): Promise<void> {
  const before = readFileSync(sim.path, "utf8");
  await work();
  expect(readFileSync(sim.path, "utf8")).toBe(before);
}

test("the document has every call that this test must cover", () => {
  expect(endpoints.map(({ operation }) => operation.operationId)).toEqual(
    expect.arrayContaining(["observe", "validate", "redefine", "deleteCheckpoints", "deleteBitmaps", "beginBackup"]),
  );
  expect(endpoints.length).toBeGreaterThanOrEqual(14);
});

describe.each(withBody)("$method $path", (endpoint) => {
  const schema = bodyOf(endpoint) ?? {};

  const hasFields = Object.keys(schema.properties ?? {}).length > 0;

  test.runIf(hasFields)("a body that is wrong in one place is refused with that place named, and changes nothing", () =>
    unchanged(() =>
      fc.assert(
        fc.asyncProperty(allowed(schema), fc.nat(), junk, async (body, at, value) => {
          const places = placesOf(schema, body).filter(({ path }) => path.length > 0);
          const place = places[at % places.length];
          fc.pre(place !== undefined && !z.fromJSONSchema(place.schema as never).safeParse(value).success);
          if (place === undefined) return;
          await assertRefused(
            endpoint,
            pathOf(endpoint, valid),
            fieldOf(place.path),
            withValueAt(body, place.path, value),
          );
        }),
        { numRuns: 60 },
      ),
    ),
  );

  test("a field that is missing or that nobody knows is named, at every depth, and nothing changes", () =>
    unchanged(() =>
      fc.assert(
        fc.asyncProperty(allowed(schema), async (body) => {
          for (const { path, schema: here } of placesOf(schema, body)) {
            const object = valueAt(body, path);
            if (typeof object !== "object" || object === null || Array.isArray(object)) continue;
            const known = here.anyOf?.find((one) => one.type === "object") ?? here;
            const missing: Path[] = (known.required ?? []).map((key) => [...path, key]);
            for (const gone of missing) {
              await assertRefused(endpoint, pathOf(endpoint, valid), fieldOf(gone), withValueAt(body, gone, undefined));
            }
            if (known.additionalProperties !== false) continue;
            const stray = [...path, "surprise"];
            await assertRefused(endpoint, pathOf(endpoint, valid), fieldOf(stray), withValueAt(body, stray, 1));
          }
        }),
        { numRuns: 4 },
      ),
    ));

  test("a body that is right in shape is answered below 500 and changes nothing: it names nothing of this host", () =>
    unchanged(() =>
      fc.assert(
        fc.asyncProperty(allowed(schema), async (body) => {
          fc.pre(!/"cp[12]"/.test(JSON.stringify(body)));
          const answer = await send(endpoint.method, pathOf(endpoint, valid), body);
          expect(answer.status, answer.seen).toBeLessThan(500);
        }),
        { numRuns: 40 },
      ),
    ));

  test("a body that is none is refused before anything happens", () =>
    unchanged(async () => {
      for (const text of ["{", '{"a":}', "\u0000", "nonsense", "[]", "1", '"x"', "null"]) {
        const headers = { "content-type": "application/json" };
        const response = await client.request(pathOf(endpoint, valid), {
          method: endpoint.method,
          headers,
          body: text,
        });
        const problem = problemSchema.parse(await response.json());
        expect([text, problem.code]).toEqual([
          text,
          /^[[1"n]/.test(text) && text !== "nonsense" ? "invalid_input" : "malformed",
        ]);
      }
      const headers = { "content-type": "application/xml" };
      const xml = await client.request(pathOf(endpoint, valid), { method: endpoint.method, headers, body: "<a/>" });
      expect(xml.status).toBe(400);
    }));
});

describe.each(withPath)("$method $path", (endpoint) => {
  test("a path parameter that is none is named, and nothing changes", () =>
    unchanged(() =>
      fc.assert(
        fc.asyncProperty(fc.constantFrom(...paramsOf(endpoint, "path")), junk, async (parameter, value) => {
          fc.pre(typeof value === "string" && value.isWellFormed() && value !== "");
          fc.pre(!z.fromJSONSchema(parameter.schema as never).safeParse(value).success);
          const address = pathOf(endpoint, { ...valid, [parameter.name]: String(value) });
          // Dots are taken out of an address before it is sent: it is another address then.
          fc.pre(new URL(`http://x${address}`).pathname === address);
          const schema = bodyOf(endpoint);
          const [body] = schema === undefined ? [undefined] : fc.sample(allowed(schema), { numRuns: 1, seed: 1 });
          await assertRefused(endpoint, address, parameter.name, body);
        }),
        { numRuns: 30 },
      ),
    ));
});

describe.each(endpoints)("$method $path", (endpoint) => {
  test("another method is refused with those that there are, and no token with 401", () =>
    unchanged(async () => {
      const here = endpoints.filter((one) => one.path === endpoint.path).map((one) => one.method);
      for (const method of ["PUT", "PATCH", "DELETE", "POST", "GET"].filter((one) => !here.includes(one))) {
        expect(problemOf(await send(method, pathOf(endpoint, valid))).code).toBe("method_not_allowed");
      }
      const bare = await fetch(`${client.address}${pathOf(endpoint, valid)}`, { method: endpoint.method });
      // Who is being paired has no token yet: the proof stands for it, and there is none here.
      expect(bare.status).toBe(endpoint.path === "/pair" ? 422 : 401);
    }));
});
