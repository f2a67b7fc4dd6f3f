/** A key that may see only one of two hosts: whatever it asks, nothing of the other host is in any answer. */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Host } from "#contract/engine.ts";
import type { Chain, VmRow } from "#contract/engine-vms.ts";
import { handleApi } from "./http/handle.ts";
import { ROUTES } from "./http/routes.ts";
import { readHost } from "./observe/read.ts";
import { isBounded } from "./scope.ts";
import type { Engine } from "./state.ts";
import { type Answer, call, openRig, type Rig, type SimHost, until } from "./testing/rig.ts";

let rig: Rig;
let engine: Engine;
let url: string;
let own: Side;
let foreign: Side;
let authorization: string;
let hosts: SimHost[] = [];

type Side = { hostId: string; hostName: string; vmId: string; vmName: string; ids: Record<string, string> };

async function insert(text: string, values: unknown[]): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return String((await client.query(text, values)).rows[0]?.id);
  } finally {
    await client.end();
  }
}

/** A job, a backup, a plan and a group of one VM, as rows: who may see them is all that is asked here. */
async function furnish({ vmId, hostId, vmName }: Side): Promise<Record<string, string>> {
  const until = new Date(Date.now() + 3_600_000);
  const basis = {
    recordRevision: 0,
    observationDigest: "d",
    observedAt: "2026-01-01T00:00:00Z",
    hostId,
    runtimeId: null,
  };
  const body = {
    request: { intent: "redefine", mode: "salvage" },
    basis,
    tier: 1,
    consequences: [],
    losses: [],
    costs: [],
    counts: {
      define: 0,
      replace: 0,
      deleteCheckpoints: 0,
      deleteBitmaps: 0,
      recordChanges: 0,
      fullDisks: 0,
      incrementalDisks: 0,
    },
    steps: [],
    actions: [],
    promises: [],
    confirm: null,
    role: "operator",
  };
  const groupId = await insert(
    "insert into plan_groups (intent, created_by, expires_at) values ('redefine', $1, $2) returning id",
    [`maker-of-${vmName}`, until],
  );
  const planId = await insert(
    `insert into plans (vm_id, group_id, intent, tier, basis, body, state, created_by, expires_at)
     values ($1, $2, 'redefine', 1, $3, $4, 'ready', $5, $6) returning id`,
    [vmId, groupId, basis, body, `maker-of-${vmName}`, until],
  );
  const jobId = await insert(
    "insert into jobs (plan_id, vm_id, kind, state, actor) values ($1, $2, 'redefine', 'failed', $3) returning id",
    [planId, vmId, `maker-of-${vmName}`],
  );
  const backupId = await insert(
    `insert into vm_backups (vm_id, host_id, kind, state, started_at) values ($1, $2, 'full', 'failed', now()) returning id`,
    [vmId, hostId],
  );
  await insert(
    `insert into audit_log (actor, action, subject, outcome, detail, job_id)
     values ('somebody', 'jobs.end', null, 'failed', $1, $2) returning id`,
    [`the job on ${vmName}`, jobId],
  );
  return { vmId, hostId, planId, jobId, backupId, groupId };
}

beforeAll(async () => {
  rig = await openRig();
  url = await rig.newDatabase();
  hosts = await Promise.all(["north", "south"].map((name) => rig.newHost(name)));
  const vms = hosts.map((host) => {
    const vmId = randomUUID();
    const vmName = `vm-of-${host.name}`;
    host.sim.define(vmId, vmName, [{ target: "vda", sizeMiB: 64 }]);
    host.sim.start(vmId);
    host.sim.checkpoint(vmId, "cp1");
    return { vmId, vmName };
  });
  engine = await rig.newEngine(url, hosts);
  for (const one of engine.hosts.values()) await readHost(engine, one);
  const sideOf = async (i: number): Promise<Side> => {
    const hostName = hosts[i]?.name ?? "";
    const hostId = [...engine.hosts.values()].find((one) => one.name === hostName)?.id ?? "";
    const side = { hostId, hostName, ...(vms[i] ?? { vmId: "", vmName: "" }), ids: {} };
    return { ...side, ids: await furnish(side) };
  };
  own = await sideOf(0);
  foreign = await sideOf(1);
  await call(engine, "POST", `/vms/${foreign.vmId}/observe`, { body: {} });
  await call(engine, "POST", `/vms/${own.vmId}/observe`, { body: {} });
  const made = await call(engine, "POST", "/api-keys", {
    body: { name: "north-only", role: "admin", hosts: [own.hostId] },
  });
  authorization = `Bearer ${(made.body as { secret: string }).secret}`;
});
afterAll(() => rig.close());

const ask = (method: string, address: string, body?: unknown): Promise<Answer> =>
  call(engine, method, address, { role: null, body, headers: { authorization, "idempotency-key": randomUUID() } });

/** Everything by which the other host could be known. */
const traces = (side: Side) => [side.hostName, side.vmName, ...Object.values(side.ids)];

function assertNothingOf(side: Side, answer: Answer, sent = ""): void {
  const text = JSON.stringify(answer.body);
  for (const trace of traces(side)) if (!sent.includes(trace)) expect(text).not.toContain(trace);
}

function addressOf(pattern: RegExp, params: string[], ids: Record<string, string>): string {
  let i = 0;
  return pattern.source
    .slice(1, -1)
    .replaceAll("\\", "")
    .replaceAll("([^/]+)", () => ids[params[i++] ?? ""] ?? "");
}

test("whatever is of another host is answered exactly as if it were not there, by every call", async () => {
  let asked = 0;
  for (const { method, pattern, params, call: name } of ROUTES) {
    const id = params.find((param) => param in foreign.ids);
    if (!id || !isBounded(name)) continue;
    asked += 1;
    const fixed = { target: "vda", name: "cp1" };
    const address = addressOf(pattern, params, { ...foreign.ids, ...fixed });
    const nowhere = Object.fromEntries(Object.keys(foreign.ids).map((key) => [key, randomUUID()]));
    const nobody = addressOf(pattern, params, { ...nowhere, ...fixed });
    const body = method === "POST" ? {} : undefined;
    const answer = await ask(method, address, body);
    const absent = await ask(method, nobody, body);
    const same = (one: Answer, value: string | undefined) =>
      JSON.stringify(one.body)
        .replaceAll(value ?? "", "ID")
        .replace(/"traceId":"[^"]*"/, "");
    expect({ name, status: answer.status, text: same(answer, foreign.ids[id]) }).toEqual({
      name,
      status: 404,
      text: same(absent, nowhere[id]),
    });
  }
  expect(asked).toBeGreaterThanOrEqual(15);
});

test("asking for what is of another host is audited as a refusal, and told as if it were not there", async () => {
  const nowhere = randomUUID();
  const known = [
    await ask("GET", `/vms/${foreign.vmId}/findings`),
    await ask("POST", `/hosts/${foreign.hostId}/observe`),
  ];
  const unknown = [await ask("GET", `/vms/${nowhere}/findings`), await ask("POST", `/hosts/${nowhere}/observe`)];
  expect([...known, ...unknown].map(({ status }) => status)).toEqual([404, 404, 404, 404]);
  const rowsAbout = async (id: string) => {
    const text = `select distinct actor, role, action, outcome, replace(detail, $1, 'ID') as detail from audit_log
      where subject = $1 and action in ('vms.findings', 'hosts.observe') and actor = 'key:north-only' order by action desc`;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(text, [id])).rows;
    } finally {
      await client.end();
    }
  };
  const rows = [...(await rowsAbout(foreign.vmId)), ...(await rowsAbout(foreign.hostId))];
  expect(rows).toMatchObject([
    { action: "vms.findings", role: "admin", outcome: "refused" },
    { action: "hosts.observe", role: "admin", outcome: "refused" },
  ]);
  // Nor does the audit, which the key may read, say more than the answer.
  expect(await rowsAbout(nowhere)).toEqual(rows);
});

test("lists and counts hold only what is of the key's own host", async () => {
  for (const address of ["/vms?limit=200", "/hosts", "/jobs", "/audit?limit=200", `/vms?host=${foreign.hostId}`]) {
    const answer = await ask("GET", address);
    expect({ address, status: answer.status }).toEqual({ address, status: 200 });
    // What the key itself has asked for stands in the audit as it was sent.
    const sent = address.startsWith("/audit") ? Object.values(foreign.ids).join(" ") : "";
    assertNothingOf(foreign, answer, address + sent);
  }
  const fleet = (await ask("GET", "/vms")).body as { items: VmRow[]; total: number; counts: { freshness: object } };
  expect(fleet.items.map((row) => row.name)).toEqual([own.vmName]);
  expect(fleet.total).toBe(1);
  expect(Object.values(fleet.counts.freshness).reduce((sum: number, n) => sum + Number(n), 0)).toBe(1);
  const hosts = (await ask("GET", "/hosts")).body as { items: Host[]; total: number };
  expect(hosts).toMatchObject({ total: 1, items: [{ name: own.hostName }] });
  expect((await ask("GET", "/jobs")).body).toMatchObject({ total: 1, items: [{ id: own.ids.jobId }] });
  const audit = (await ask("GET", "/audit?limit=200")).body as { items: { detail: string | null }[]; total: number };
  expect(audit.total).toBe(audit.items.length);
  expect(audit.items.map((row) => row.detail)).toContain(`the job on ${own.vmName}`);
  expect((await ask("GET", `/jobs?vmId=${foreign.vmId}`)).status).toBe(404);
  expect((await ask("GET", "/me")).body).toMatchObject({ hosts: [own.hostId] });
});

test("its own host's things are all there", async () => {
  for (const address of [
    `/vms/${own.vmId}`,
    `/vms/${own.vmId}/chain`,
    `/vms/${own.vmId}/bundle`,
    `/hosts/${own.hostId}`,
    `/hosts/${own.hostId}/bundle`,
    `/plans/${own.ids.planId}`,
    `/jobs/${own.ids.jobId}`,
    `/jobs/${own.ids.jobId}/bundle`,
    `/backups/${own.ids.backupId}`,
  ]) {
    const answer = await ask("GET", address);
    expect({ address, status: answer.status }).toEqual({ address, status: 200 });
    assertNothingOf(foreign, answer);
  }
  const chain = (await ask("POST", `/vms/${own.vmId}/observe`, {})).body as Chain;
  expect(chain.vm.name).toBe(own.vmName);
});

test("a plan over several VMs is refused when one of them is of another host", async () => {
  const body = { vmIds: [own.vmId, foreign.vmId], request: { intent: "redefine" } };
  const answer = await ask("POST", "/plan-groups", body);
  expect(answer.status).toBe(404);
  assertNothingOf({ ...foreign, ids: {} }, answer);
});

test("calls about the whole installation are refused, so that no such key can make a wider one", async () => {
  for (const [method, address, body] of [
    ["GET", "/users", undefined],
    ["POST", "/users", { email: "x@example.org", role: "admin" }],
    ["GET", "/api-keys", undefined],
    ["POST", "/api-keys", { name: "wider", role: "admin" }],
    ["GET", "/settings", undefined],
  ] as const)
    expect({ address, status: (await ask(method, address, body)).status }).toEqual({ address, status: 403 });
});

test("the stream tells of its own host's changes only", async () => {
  const stop = new AbortController();
  const headers = { host: "driftline.test", authorization };
  const request = new Request("http://driftline.test/api/v1/events", { headers, signal: stop.signal });
  const response = await handleApi(engine, request);
  let heard = "";
  const reading = (async () => {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) heard += new TextDecoder().decode(chunk);
  })().catch(() => {});
  await until(
    async () => heard,
    (text) => text.includes("heartbeat"),
  );
  await call(engine, "POST", `/vms/${foreign.vmId}/observe`, { body: {} });
  await call(engine, "POST", `/vms/${own.vmId}/observe`, { body: {} });
  await until(
    async () => heard,
    (text) => text.includes(own.vmId),
  );
  for (const trace of traces(foreign)) expect(heard).not.toContain(trace);
  stop.abort();
  await reading;
});

/** The VM as the other host has it, beside what that host has already. */
function copyVm(vmId: string, from: SimHost, to: SimHost): void {
  from.sim.changeDomain(vmId, (domain) => {
    const copy = structuredClone({ ...domain, run: 1 });
    to.sim.change((state) => {
      state.domains = [...state.domains.filter((one) => one.vmId !== vmId), copy];
    });
  });
}
const pairOfHosts = (): [SimHost, SimHost] => {
  const [north, south] = hosts;
  if (!north || !south) throw new Error("there are two hosts");
  return [north, south];
};
async function newVm(on: SimHost, name: string): Promise<string> {
  const vmId = randomUUID();
  on.sim.define(vmId, name, [{ target: "vda", sizeMiB: 64 }]);
  on.sim.start(vmId);
  on.sim.checkpoint(vmId, "cp1");
  await readBoth();
  return vmId;
}
async function readBoth(): Promise<void> {
  for (const one of engine.hosts.values()) await readHost(engine, one, { force: true });
}
/** Whatever can be asked about one VM, and the lists that show it. */
async function everythingAbout(vmId: string, ids: Record<string, string> = {}): Promise<[string, Answer][]> {
  const answers: [string, Answer][] = [];
  for (const { method, pattern, params, call: name } of ROUTES) {
    const known: Record<string, string> = { vmId, target: "vda", name: "cp1", hostId: own.hostId, ...ids };
    if (name === "events" || !isBounded(name) || params.some((param) => !(param in known))) continue;
    if (method !== "GET" && !["vms.observe", "vms.validate", "vms.plans", "plans.create", "plans.apply"].includes(name))
      continue;
    const body = method === "GET" ? undefined : name === "plans.create" ? { intent: "redefine" } : {};
    answers.push([name, await ask(method, addressOf(pattern, params, known), body)]);
  }
  return answers;
}
const hostOnly = (side: Side): Side => ({ ...side, vmName: side.hostName, ids: { hostId: side.hostId } });

test("a VM that runs on another host too is said to, and the other host is not named by any answer", async () => {
  const [north, south] = pairOfHosts();
  const vmId = await newVm(north, "twice");
  copyVm(vmId, north, south);
  await readBoth();
  await readBoth();
  const told = (await call(engine, "GET", `/vms/${vmId}/chain`)).body as Chain;
  // Who may see all hosts is told which one it is, else there were nothing to hide.
  expect(JSON.stringify(told.findings)).toContain(south.name);
  const answers = await everythingAbout(vmId);
  expect(answers.length).toBeGreaterThanOrEqual(15);
  for (const [name, answer] of answers) {
    expect({ name, isFailure: answer.status >= 500 }).toEqual({ name, isFailure: false });
    assertNothingOf(hostOnly(foreign), answer, name);
  }
  const chain = answers.find(([name]) => name === "vms.chain")?.[1].body as Chain;
  expect(JSON.stringify(chain.findings)).toContain("also active on another host");
  expect(chain.vm).toMatchObject({ name: "twice", hostId: own.hostId, hostName: own.hostName });
  south.sim.change((state) => {
    state.domains = state.domains.filter((one) => one.vmId !== vmId);
  });
  await readBoth();
});

test("a VM that came from another host keeps its history, and no answer names that host", async () => {
  const [north, south] = pairOfHosts();
  const vmId = await newVm(south, "moved");
  const ids = await furnish({ ...foreign, vmId, vmName: "moved" });
  await insert(
    `insert into audit_log (actor, action, subject, outcome, detail) values ('somebody', 'vms.observe', $1, 'failed', $2) returning id`,
    [vmId, `The agent of ${south.name} did not answer (${foreign.hostId}).`],
  );
  copyVm(vmId, south, north);
  south.sim.change((state) => {
    state.domains = state.domains.filter((one) => one.vmId !== vmId);
  });
  await readBoth();
  const { planId = "", jobId = "", backupId = "", groupId = "" } = ids;
  for (const [name, answer] of await everythingAbout(vmId, { planId, jobId, backupId, groupId })) {
    expect({ name, isFailure: answer.status >= 500 }).toEqual({ name, isFailure: false });
    assertNothingOf(hostOnly(foreign), answer, name);
  }
  const audit = (await ask("GET", `/audit?subject=${vmId}`)).body as { items: { detail: string | null }[] };
  expect(audit.items.map((row) => row.detail)).toContain(
    "The agent of another host did not answer (00000000-0000-0000-0000-000000000000).",
  );
  const backup = (await call(engine, "GET", `/backups/${backupId}`)).body;
  expect(JSON.stringify(backup)).toContain(foreign.hostId);
});

test("the audit says what things are called now, and to a key of one host only what is of that host", async () => {
  const key = await call(engine, "POST", "/api-keys", { body: { name: "named", role: "viewer" } });
  const { id: keyId } = (key.body as { key: { id: string } }).key;
  const userId = await insert(
    "insert into auth_users (id, name, email, role) values ($1, 'Ann', 'ann@example.test', 'viewer') returning id",
    [randomUUID()],
  );
  const gone = randomUUID();
  const subjects = [own.vmId, own.hostId, foreign.vmId, foreign.hostId, keyId, userId, gone];
  for (const subject of subjects) {
    await insert(
      "insert into audit_log (actor, action, subject, outcome) values ('key:north-only', 'test.named', $1, 'done') returning id",
      [subject],
    );
  }
  const named = ({ body }: Answer) =>
    Object.fromEntries(
      (body as { items: { subject: string; subjectKind: string | null; subjectName: string | null }[] }).items.map(
        ({ subject, subjectKind, subjectName }) => [subject, subjectKind && `${subjectKind} ${subjectName}`],
      ),
    );
  const ofOwn = { [own.vmId]: `vm ${own.vmName}`, [own.hostId]: `host ${own.hostName}`, [gone]: null };
  expect(named(await call(engine, "GET", "/audit?action=test.named"))).toEqual({
    ...ofOwn,
    [foreign.vmId]: `vm ${foreign.vmName}`,
    [foreign.hostId]: `host ${foreign.hostName}`,
    [keyId]: "key named",
    [userId]: "user ann@example.test",
  });
  const bounded = await ask("GET", "/audit?action=test.named");
  expect(named(bounded)).toEqual({
    ...ofOwn,
    [foreign.vmId]: null,
    "00000000-0000-0000-0000-000000000000": null,
    [keyId]: null,
    [userId]: null,
  });
});

test("the metrics, which ask for no key, name no host and no VM", async () => {
  const text = await engine.metrics.registry.metrics();
  expect(text).toContain("driftline_observed_vms_total");
  for (const side of [own, foreign]) for (const trace of traces(side)) expect(text).not.toContain(trace);
});

test("a key whose hosts are all gone sees nothing, not everything", async () => {
  const made = await call(engine, "POST", "/api-keys", {
    body: { name: "of-nothing", role: "viewer", hosts: [own.hostId] },
  });
  const { key, secret } = made.body as { key: { id: string }; secret: string };
  await insert("delete from api_key_hosts where key_id = $1 returning key_id as id", [key.id]);
  const headers = { authorization: `Bearer ${secret}` };
  for (const address of ["/vms", "/hosts", "/jobs"])
    expect((await call(engine, "GET", address, { role: null, headers })).body).toMatchObject({ items: [], total: 0 });
  expect((await call(engine, "GET", `/vms/${own.vmId}`, { role: null, headers })).status).toBe(404);
});
