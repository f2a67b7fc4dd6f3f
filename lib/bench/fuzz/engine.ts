/** Random requests to the engine, with every role and none, over a simulated host. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { ROLES } from "#contract/engine.ts";
import { hasRole, NEEDED } from "#engine/actor.ts";
import { handleApi } from "#engine/http/handle.ts";
import { openApiDocument } from "#engine/http/openapi.ts";
import { readHost } from "#engine/observe/read.ts";
import type { Engine } from "#engine/state.ts";
import { KEYS, type KeyRole, type Rig, snapshot, until } from "#engine/testing/rig.ts";
import type { Ledger } from "./ledger.ts";
import { type Endpoint, endpointsOf, requestTo } from "./requests.ts";

/** Refusals are audited, and the use of a key is noted: that is no change of what a request was about. */
const MOVES = ["audit_log"];

function tablesThatDiffer(before: string, after: string): string[] {
  const rowsOf = (text: string) =>
    new Map((JSON.parse(text) as [string, unknown][]).map(([name, rows]) => [name, JSON.stringify(rows)]));
  const [a, b] = [rowsOf(before), rowsOf(after)];
  return [...b.keys()].filter((name) => a.get(name) !== b.get(name));
}

const may = ({ operation }: Endpoint, role: KeyRole | null) =>
  role !== null && hasRole({ kind: "program", name: role, role }, NEEDED[operation.operationId] ?? "admin");

function makeRequest(
  method: string,
  address: string,
  role: KeyRole | null,
  body: unknown,
  signal: AbortSignal,
): Request {
  const headers = new Headers({ host: "driftline.test" });
  if (role) headers.set("authorization", `Bearer ${KEYS[role]}`);
  if (body !== undefined) headers.set("content-type", "application/json");
  const init = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
  return new Request(`http://driftline.test/api/v1${address}`, init);
}

/** `requests`: half of them by roles that may not, and then nothing has changed; half by roles that may. */
export async function attackEngine(rig: Rig, ledger: Ledger, requests: number, password: string): Promise<void> {
  const url = await rig.newDatabase();
  const host = await rig.newHost("fuzzed");
  const vmId = randomUUID();
  host.sim.define(vmId, "fuzzed", [{ target: "vda", sizeMiB: 64 }]);
  host.sim.start(vmId);
  host.sim.checkpoint(vmId, "cp1");
  const admin = { email: "fuzz@example.org", password };
  const engine = await rig.newEngine(url, [host], { admin, work: false });
  for (const one of engine.hosts.values()) await readHost(engine, one);
  const [hostId = ""] = engine.hosts.keys();
  const real = { vmId, hostId, target: "vda", name: "cp1" };

  const endpoints = endpointsOf(await openApiDocument());
  const actors: (KeyRole | null)[] = [null, ...ROLES];
  const fire = async (kind: string, wanted: boolean) => {
    const pairs = endpoints.flatMap((endpoint) =>
      actors.filter((role) => may(endpoint, role) === wanted).map((role) => ({ endpoint, role })),
    );
    const each = Math.ceil(requests / 2 / pairs.length);
    for (const [i, { endpoint, role }] of pairs.entries()) {
      const seed = ledger.result.seed + i;
      for (const { address, body } of fc.sample(requestTo(endpoint, real), { numRuns: each, seed })) {
        const leaving = new AbortController();
        const request = makeRequest(endpoint.method, address, role, body, leaving.signal);
        const response = await handleApi(engine, request);
        const what = `${role ?? "nobody"}: ${endpoint.method} ${address} ${JSON.stringify(body)?.slice(0, 200)}`;
        const sent = { kind, what, isEndless: endpoint.path === "/events" };
        const status = await ledger.take(sent, response, () => leaving.abort());
        if (!wanted && status < 400) ledger.fault(`${status} for ${what}`);
      }
    }
  };
  const before = await snapshot(url, MOVES);
  const simBefore = readFileSync(host.sim.path, "utf8");
  await fire("engine, may not", false);
  const changed = tablesThatDiffer(before, await snapshot(url, MOVES));
  if (changed.length > 0) ledger.fault(`a role that may not changed ${changed.join(", ")}`);
  if (readFileSync(host.sim.path, "utf8") !== simBefore) ledger.fault("a role that may not changed the host");
  await fire("engine, may", true);
  await assertNobodyListens(engine, ledger);
}

/** A reader that has left is forgotten: a stream that goes on without one would be a leak. */
async function assertNobodyListens(engine: Engine, ledger: Ledger): Promise<void> {
  const open = async () => (await engine.metrics.streams.get()).values[0]?.value ?? 0;
  await until(open, (n) => n === 0).catch((error: Error) =>
    ledger.fault(`streams of the engine stay open: ${error.message}`),
  );
}
