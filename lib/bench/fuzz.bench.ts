/**
 * `npm run fuzz [-- requests]`: random requests to both APIs, made from their OpenAPI documents, with every role and none.
 * No answer is a failure of ours, a role that may not changes nothing, and no planted secret stands in an answer or in
 * the log. Prints a table; ends red when one of these does not hold. The seed is printed: DRIFTLINE_FUZZ_SEED repeats it.
 */
import { spawnSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { pino } from "pino";
import { startAgent } from "#agent/agent.ts";
import { parseConfig } from "#agent/config.ts";
import { makeOpenApi } from "#agent/http/openapi.ts";
import { SimController } from "#agent/simulated/controller.ts";
import { allowed, junk, type Schema } from "#agent/testing/json-schema.ts";
import { ROLES } from "#contract/engine.ts";
import { hasRole, NEEDED } from "#engine/actor.ts";
import { openApiDocument } from "#engine/http/openapi.ts";
import { readHost } from "#engine/observe/read.ts";
import { call, KEYS, type KeyRole, openRig, snapshot } from "#engine/testing/rig.ts";

type Operation = {
  operationId: string;
  parameters?: { name: string; in: "path" | "query"; schema: Schema }[];
  requestBody?: { content: { "application/json": { schema: Schema } } };
};
type Endpoint = { method: string; path: string; operation: Operation };
type Result = { seed: number; requests: Record<string, number>; statuses: Record<string, number>; faults: string[] };

const REQUESTS = Number(process.argv[2] ?? 20_000);
const TOKEN = process.env.DRIFTLINE_FUZZ_TOKEN ?? "";
const PASSWORD = process.env.DRIFTLINE_FUZZ_PASSWORD ?? "";

const endpointsOf = (document: unknown): Endpoint[] =>
  Object.entries((document as { paths: Record<string, Record<string, Operation>> }).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );

/** A request as the document describes it, or with something in it that nobody described. */
function requestTo(endpoint: Endpoint, real: Record<string, string>) {
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

/** Refusals are audited, and the use of a key is noted: that is no change of what a request was about. */
const MOVES = ["audit_log"];
function tablesThatDiffer(before: string, after: string): string[] {
  const rowsOf = (text: string) =>
    new Map((JSON.parse(text) as [string, unknown][]).map(([name, rows]) => [name, JSON.stringify(rows)]));
  const [a, b] = [rowsOf(before), rowsOf(after)];
  return [...b.keys()].filter((name) => a.get(name) !== b.get(name));
}

async function attack(): Promise<Result> {
  const seed = Number(process.env.DRIFTLINE_FUZZ_SEED ?? Date.now() % 1_000_000_000);
  const result: Result = { seed, requests: {}, statuses: {}, faults: [] };
  const secrets = [TOKEN, PASSWORD, ...Object.values(KEYS)];
  const note = (kind: string, status: number, said: string, what: string) => {
    result.requests[kind] = (result.requests[kind] ?? 0) + 1;
    result.statuses[status] = (result.statuses[status] ?? 0) + 1;
    // A simulated host has no backups, and says so. Every other 5xx is a fault.
    if (status >= 500 && !(status === 501 && what.startsWith("agent")))
      result.faults.push(`${status} ${what}: ${said.slice(0, 300)}`);
    if (secrets.some((secret) => said.includes(secret))) result.faults.push(`a secret in the answer to ${what}`);
  };
  const rig = await openRig();
  const url = await rig.newDatabase();
  const host = await rig.newHost("fuzzed");
  const vmId = randomUUID();
  host.sim.define(vmId, "fuzzed", [{ target: "vda", sizeMiB: 64 }]);
  host.sim.start(vmId);
  host.sim.checkpoint(vmId, "cp1");
  const admin = { email: "fuzz@example.org", password: PASSWORD };
  const engine = await rig.newEngine(url, [host], { admin, work: false });
  for (const one of engine.hosts.values()) await readHost(engine, one);
  const [hostId = ""] = engine.hosts.keys();
  const real = { vmId, hostId, target: "vda", name: "cp1" };

  // A stream does not end by itself, and a call would wait for it.
  const endpoints = endpointsOf(await openApiDocument()).filter(({ path }) => path !== "/events");
  const actors: (KeyRole | null)[] = [null, ...ROLES];
  const may = (endpoint: Endpoint, role: KeyRole | null) =>
    role !== null && hasRole({ kind: "program", name: role, role }, NEEDED[endpoint.operation.operationId] ?? "admin");
  const fire = async (kind: string, count: number, wanted: boolean) => {
    const pairs = endpoints.flatMap((endpoint) =>
      actors.filter((role) => may(endpoint, role) === wanted).map((role) => ({ endpoint, role })),
    );
    const each = Math.ceil(count / pairs.length);
    for (const [i, { endpoint, role }] of pairs.entries()) {
      for (const { address, body } of fc.sample(requestTo(endpoint, real), { numRuns: each, seed: seed + i })) {
        const answer = await call(engine, endpoint.method, address, { role, body });
        const what = `${role ?? "nobody"}: ${endpoint.method} ${address} ${JSON.stringify(body)?.slice(0, 200)}`;
        note(kind, answer.status, JSON.stringify(answer.body) + JSON.stringify([...answer.headers]), what);
        if (!wanted && answer.status < 400) result.faults.push(`${answer.status} for ${what}`);
      }
    }
  };
  const before = await snapshot(url, MOVES);
  const simBefore = readFileSync(host.sim.path, "utf8");
  await fire("engine, may not", REQUESTS * 0.4, false);
  const changed = tablesThatDiffer(before, await snapshot(url, MOVES));
  if (changed.length > 0) result.faults.push(`a role that may not changed ${changed.join(", ")}`);
  if (readFileSync(host.sim.path, "utf8") !== simBefore) result.faults.push("a role that may not changed the host");
  await fire("engine, may", REQUESTS * 0.4, true);

  const sim = new SimController(join(rig.dir, "agent.json"));
  sim.define(vmId, "fuzzed", [{ target: "vda", sizeMiB: 64 }]);
  sim.start(vmId);
  const tokenSha256 = [createHash("sha256").update(TOKEN).digest("hex")];
  const config = parseConfig({ name: "fuzz", listen: "127.0.0.1:0", libvirtUri: sim.uri, tokenSha256 });
  const agent = await startAgent(config, pino(pino.destination(1)));
  const calls = endpointsOf(await makeOpenApi("fuzz")).filter(({ path }) => path !== "/events");
  const each = Math.ceil((REQUESTS * 0.2) / (calls.length * 2));
  for (const [i, endpoint] of calls.entries()) {
    for (const token of [TOKEN, "another-token"]) {
      for (const { address, body } of fc.sample(requestTo(endpoint, real), { numRuns: each, seed: seed - i })) {
        const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
        const sent = body === undefined ? undefined : JSON.stringify(body);
        const response = await fetch(`${agent.address}/v1${address}`, { method: endpoint.method, headers, body: sent });
        const isKnown = token === TOKEN;
        const what = `agent: ${endpoint.method} ${address} ${sent?.slice(0, 200)}`;
        note(isKnown ? "agent, token" : "agent, wrong token", response.status, await response.text(), what);
        if (!isKnown && response.status < 400) result.faults.push(`${response.status} without a token for ${what}`);
      }
    }
  }
  await agent.close();
  await rig.close();
  return result;
}

function main(): void {
  const folder = mkdtempSync(join(tmpdir(), "dl-fuzz-run-"));
  const file = join(folder, "log");
  const out = openSync(file, "w");
  const [token, password] = [randomUUID(), `planted ${randomUUID()}`];
  const env = { ...process.env, DRIFTLINE_FUZZ_TOKEN: token, DRIFTLINE_FUZZ_PASSWORD: password };
  const began = Date.now();
  const self = fileURLToPath(import.meta.url);
  const child = spawnSync(process.execPath, [self, String(REQUESTS)], { env, stdio: ["ignore", out, out] });
  closeSync(out);
  const said = readFileSync(file, "utf8");
  const line = said.split("\n").findLast((one) => one.startsWith("RESULT "));
  if (line === undefined) throw new Error(`the run ended with ${child.status}: ${said.slice(-3_000)}`);
  const result = JSON.parse(line.slice("RESULT ".length)) as Result;
  const log = said.replace(line, "");
  const leaked = [token, password, ...Object.values(KEYS)].filter((secret) => log.includes(secret)).length;
  console.table(result.requests);
  console.table(result.statuses);
  const total = Object.values(result.requests).reduce((sum, n) => sum + n, 0);
  const seconds = ((Date.now() - began) / 1_000).toFixed(0);
  console.log(
    `${total} requests in ${seconds} s, seed ${result.seed}; log of ${log.length} bytes with ${leaked} secrets`,
  );
  for (const fault of result.faults.slice(0, 30)) console.log(`FAULT ${fault}`);
  console.log(`${result.faults.length} faults`);
  rmSync(folder, { recursive: true, force: true });
  process.exit(result.faults.length === 0 && leaked === 0 ? 0 : 1);
}

if (TOKEN === "") main();
else {
  const result = await attack();
  process.stdout.write(`\nRESULT ${JSON.stringify(result)}\n`, () => process.exit(0));
}
