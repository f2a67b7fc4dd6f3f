/** Dirty extents of a running VM are read through a job on its host: who may only read must not hold a VM with it. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readHost } from "../observe/read.ts";
import { call, type KeyRole, openRig, type Rig } from "../testing/rig.ts";
import { MOST_READS } from "./read-extents.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

async function openOne() {
  const agent = await rig.newHost(`x-${randomUUID().slice(0, 8)}`);
  const vmId = randomUUID();
  agent.sim.define(vmId, "vm", [{ target: "vda", sizeMiB: 64 }]);
  agent.sim.start(vmId);
  agent.sim.checkpoint(vmId, "cp1");
  const engine = await rig.newEngine(await rig.newDatabase(), [agent], { work: false });
  const [host] = engine.hosts.values();
  if (!host) throw new Error("there is no host");
  await readHost(engine, host);
  const read = (role: KeyRole = "viewer", buckets = 16) =>
    call(engine, "GET", `/vms/${vmId}/disks/vda/bitmaps/cp1/extents?buckets=${buckets}`, { role });
  return { engine, host, vmId, read };
}

test("extents are not read while a job works on the VM, and again when it has ended", async () => {
  const { engine, vmId, read } = await openOne();
  expect((await read()).status).toBe(200);
  const made = await engine.db.pool.query(
    "insert into jobs (vm_id, kind, state, actor) values ($1, 'backup', 'running', 'somebody') returning id",
    [vmId],
  );
  await engine.db.pool.query(
    "insert into vm_leases (vm_id, job_id, holder, taken_at, expires_at) values ($1, $2, 'p', now(), now())",
    [vmId, made.rows[0].id],
  );
  const { status, body } = await read();
  expect([status, body]).toMatchObject([409, { code: "vm_busy", subject: vmId, retryable: true }]);
  await engine.db.pool.query("update jobs set state = 'failed' where id = $1", [made.rows[0].id]);
  expect((await read()).status).toBe(200);
});

test("the host is asked for one VM's extents one at a time, and once for all who ask the same", async () => {
  const { host, read } = await openOne();
  let [under, most, asked] = [0, 0, 0];
  const { api } = host.agent;
  const extents: typeof api.extents = async (...args) => {
    asked += 1;
    under += 1;
    most = Math.max(most, under);
    try {
      return await api.extents(...args);
    } finally {
      under -= 1;
    }
  };
  host.agent = {
    ...host.agent,
    api: new Proxy(api, { get: (all, name) => (name === "extents" ? extents : Reflect.get(all, name)) }),
  };
  const answers = await Promise.all([16, 16, 16, 32, 64].map((buckets) => read("viewer", buckets)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  expect({ most, atMost: asked <= 5 }).toEqual({ most: 1, atMost: true });
});

test("one actor reads extents only so often, whoever else does, and the refusal is audited", async () => {
  const { engine, read } = await openOne();
  const statuses: number[] = [];
  for (let i = 0; i <= MOST_READS; i++) statuses.push((await read()).status);
  expect(statuses).toEqual([...Array(MOST_READS).fill(200), 429]);
  expect((await read("support")).status).toBe(200);
  const audit = await engine.db.pool.query("select actor, outcome from audit_log where action = 'vms.extents'");
  expect(audit.rows).toEqual([{ actor: "key:viewer", outcome: "refused" }]);
});
