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

type Sent = {
  method: string;
  address: string;
  role: KeyRole | null;
  body?: unknown;
  key?: string;
  signal?: AbortSignal;
};

function makeRequest({ method, address, role, body, key, signal }: Sent): Request {
  const headers = new Headers({ host: "driftline.test" });
  if (role) headers.set("authorization", `Bearer ${KEYS[role]}`);
  if (key !== undefined) headers.set("idempotency-key", key);
  if (body !== undefined) headers.set("content-type", "application/json");
  const init = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
  return new Request(`http://driftline.test/api/v1${address}`, init);
}

/** Things of every kind, for requests to be about: with made-up ids alone hardly anything could happen to any. */
async function makeThings(engine: Engine, vmId: string, busyVmId: string): Promise<Record<string, string>> {
  const made = async (address: string, body: unknown) => {
    const sent: Sent = { method: "POST", address, role: "admin", body, key: randomUUID() };
    const response = await handleApi(engine, makeRequest(sent));
    if (!response.ok) throw new Error(`POST ${address}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Record<string, string> & Record<"user" | "key" | "job", { id: string }>;
  };
  const backup = { intent: "backup", params: { mode: "auto" } };
  const { user } = await made("/users", { email: "somebody@example.org", role: "viewer" });
  const { key } = await made("/api-keys", { name: "a key", role: "viewer" });
  const { id: planId = "" } = await made(`/vms/${vmId}/plans`, backup);
  const { id: groupId = "" } = await made("/plan-groups", { vmIds: [vmId], request: backup });
  const { id: busyPlan } = await made(`/vms/${busyVmId}/plans`, backup);
  const job = await made(`/plans/${busyPlan}/apply`, {});
  return { userId: user.id, keyId: key.id, planId, groupId, jobId: job.jobId ?? job.id ?? "" };
}

/** `requests`: half of them by roles that may not, and then nothing has changed; half by roles that may. */
export async function attackEngine(rig: Rig, ledger: Ledger, requests: number, password: string): Promise<void> {
  const url = await rig.newDatabase();
  const host = await rig.newHost("fuzzed");
  const [vmId, busyVmId] = [randomUUID(), randomUUID()];
  for (const [id, name] of [
    [vmId, "fuzzed"],
    [busyVmId, "busy"],
  ] as const) {
    host.sim.define(id, name, [{ target: "vda", sizeMiB: 64 }]);
    host.sim.start(id);
    host.sim.checkpoint(id, "cp1");
  }
  const admin = { email: "fuzz@example.org", password };
  const engine = await rig.newEngine(url, [host], { admin, work: false });
  for (const one of engine.hosts.values()) await readHost(engine, one);
  const [hostId = ""] = engine.hosts.keys();
  const things = await makeThings(engine, vmId, busyVmId);
  const real = { vmId, hostId, target: "vda", name: "cp1", ...things };

  const endpoints = endpointsOf(await openApiDocument());
  const actors: (KeyRole | null)[] = [null, ...ROLES];
  const fire = async (kind: string, wanted: boolean) => {
    const pairs = endpoints.flatMap((endpoint) =>
      actors.filter((role) => may(endpoint, role) === wanted).map((role) => ({ endpoint, role })),
    );
    const each = Math.ceil(requests / 2 / pairs.length);
    for (const [i, { endpoint, role }] of pairs.entries()) {
      const seed = ledger.result.seed + i;
      for (const { address, body, key } of fc.sample(requestTo(endpoint, real), { numRuns: each, seed })) {
        const leaving = new AbortController();
        const { method } = endpoint;
        const response = await handleApi(
          engine,
          makeRequest({ method, address, role, body, key, signal: leaving.signal }),
        );
        const what = `${role ?? "nobody"}: ${method} ${address} ${JSON.stringify(body)?.slice(0, 200)}`;
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
