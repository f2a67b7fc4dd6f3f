/** Policy on two real hosts: what libvirt lost is told to it again by itself, in time, and once. */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JobRow, JobView } from "#contract/engine-jobs.ts";
import type { PlanView } from "#contract/engine-plans.ts";
import type { Chain } from "#contract/engine-vms.ts";
import type { Problem } from "#contract/problem.ts";
import { applyScenario, findScenario, prepareScenario } from "#lab/scenarios/index.ts";
import { startEngine } from "../start.ts";
import type { Engine } from "../state.ts";
import { type LabRig, openLabRig } from "../testing/lab-rig.ts";
import { call, until } from "../testing/rig.ts";
import { actByPolicy } from "./act.ts";

/** From the event to a chain that libvirt knows again. */
const WITHIN_MS = 5_000;

let rig: LabRig;
let url: string;
let engine: Engine;
beforeAll(async () => {
  rig = await openLabRig(["alpha", "beta"]);
  url = await rig.newDatabase();
  // No sweep within the test: what is mended was mended because of an event.
  engine = await startEngine({ databaseUrl: url, config: rig.config({ redefineOnStart: "auto" }) });
}, 120_000);
afterAll(async () => {
  await engine?.stop();
  await rig?.close();
}, 60_000);

async function query(text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const BY_POLICY = { actor: "driftline", outcome: "done", reason: "policy: redefineOnStart" };
const chainOf = async (vmId: string): Promise<Chain> => (await call(engine, "GET", `/vms/${vmId}/chain`)).body as Chain;
const applied = (vmId: string) =>
  query(
    `select actor, outcome, reason from audit_log where action = 'plans.apply' and subject = '${vmId}' order by id`,
  );

/** A running VM of the lab whose record the engine has, on which all agrees. */
async function prepare(scenario: string, name = scenario) {
  const { vm, record } = await prepareScenario(rig.lab, findScenario(scenario), { name });
  await until(
    () => call(engine, "GET", `/vms/${vm.id}`),
    (answer) => answer.status === 200,
  );
  for (const { id, parentId, createdAt, disks } of record) {
    const answer = await call(engine, "POST", `/vms/${vm.id}/checkpoints`, {
      body: { id, parentId, createdAt, disks },
    });
    expect(answer.status).toBe(201);
  }
  await call(engine, "POST", `/vms/${vm.id}/observe`);
  expect(await chainOf(vm.id)).toMatchObject({ agreement: "agrees", findings: [] });
  return { vm, record };
}

/** Every attempt is audited; one that met a VM that was still changing was refused and made anew. */
test.each(["restart-elsewhere", "live-migration", "transient-restarted", "renamed"])(
  "%s: libvirt has the recorded chain again within 5 s of the event",
  async (name) => {
    const { vm, record } = await prepare(name);
    await applyScenario(rig.lab, findScenario(name), vm);
    const startedAt = Date.now();
    const chain = await until(
      () => chainOf(vm.id),
      // The old host's view agrees too, until the new one has been read.
      (now) =>
        now.agreement === "agrees" &&
        now.host.checkpoints?.length === record.length &&
        Date.parse(now.host.observedAt ?? "") > startedAt,
      2 * WITHIN_MS,
    );
    const tookMs = Date.now() - startedAt;
    expect(tookMs).toBeLessThan(WITHIN_MS);
    expect(chain.findings).toEqual([]);
    // libvirt itself, asked by another program.
    const listed = await vm.checkpoints();
    expect(listed.map(({ id, parentId }) => ({ id, parentId }))).toEqual(
      record.map(({ id, parentId }) => ({ id, parentId })),
    );
    expect((await applied(vm.id)).filter((row) => row.outcome === "done")).toEqual([BY_POLICY]);
  },
  60_000,
);

test("what only a heal can mend stands for a person, and what was tried on a state is not tried on it again", async () => {
  const { vm } = await prepare("bitmap-removed-live", "half-broken");
  await applyScenario(rig.lab, findScenario("bitmap-removed-live"), vm);
  await vm.stop();
  await vm.moveStopped("beta");
  await vm.start();
  const chain = await until(
    () => chainOf(vm.id),
    (now) => now.agreement === "differs" && (now.host.checkpoints?.length ?? 0) >= 3,
    2 * WITHIN_MS,
  );
  const stands = chain.findings.map(({ kind, subject }) => `${kind} ${subject.checkpointId}`).sort();
  expect(stands).toEqual(["bitmap.missing cp2", "metadata.missing cp2"]);
  expect((await vm.checkpoints()).map(({ id }) => id)).toEqual(expect.arrayContaining(["cp1", "cp3", "cp4"]));
  const hosts = new Set(engine.hosts.keys());
  expect((await actByPolicy(engine, vm.id, hosts)).jobId).toBeNull();
  await vm.deleteCheckpoint("cp4", { metadataOnly: true });
  await call(engine, "POST", `/vms/${vm.id}/observe`);
  // Here, or by the engine's own look after the end of the first job: once, whichever comes first.
  await actByPolicy(engine, vm.id, hosts);
  const tried = await until(
    () => query(`select kind, actor from jobs where vm_id = '${vm.id}'`),
    (jobs) => jobs.length > 1,
    WITHIN_MS,
  );
  expect(tried).toEqual([
    { kind: "redefine", actor: "driftline" },
    { kind: "redefine", actor: "driftline" },
  ]);
}, 60_000);

test("a plan made before a change on a real host is refused with what changed, and of two who run the next one wins", async () => {
  const { vm } = await prepare("bitmap-added-live", "planned");
  const prune = async (): Promise<PlanView> => {
    const body = { intent: "prune", params: { keepLast: 3 } };
    const answer = await call(engine, "POST", `/vms/${vm.id}/plans`, { body });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return answer.body as PlanView;
  };
  const run = ({ id, losses }: PlanView, role: "operator" | "admin") =>
    call(engine, "POST", `/plans/${id}/apply`, {
      role,
      body: { acknowledged: losses.map((loss) => loss.id) },
      headers: { "idempotency-key": `wish-of-${role}` },
    });
  const early = await prune();
  await applyScenario(rig.lab, findScenario("bitmap-added-live"), vm);
  const late = await run(early, "operator");
  expect(late).toMatchObject({ status: 409, body: { code: "plan_out_of_date" } });
  expect((late.body as Problem).errors?.map((error) => error.field)).toEqual(["bitmap nightly-job on vdb"]);
  expect((await vm.checkpoints()).map(({ id }) => id)).toEqual(["cp1", "cp2", "cp3", "cp4"]);

  const plan = await prune();
  const answers = await Promise.all([run(plan, "operator"), run(plan, "admin")]);
  expect(answers.map((answer) => answer.status).sort()).toEqual([202, 409]);
  const winner = answers[0]?.status === 202 ? "operator" : "admin";
  const won = answers.find((answer) => answer.status === 202)?.body as JobRow;
  const lost = answers.find((answer) => answer.status === 409)?.body as Problem;
  expect(lost.detail).toContain(won.id);
  const ended = await until(
    () => call(engine, "GET", `/jobs/${won.id}`),
    (answer) => !["queued", "running"].includes((answer.body as JobView).state),
    30_000,
  );
  expect(ended.body).toMatchObject({ state: "succeeded", actor: `key:${winner}`, proof: { left: [] } });
  expect((await vm.checkpoints()).map(({ id }) => id)).toEqual(["cp2", "cp3", "cp4"]);
  const again = await run(plan, winner);
  expect(again).toMatchObject({ status: 202, body: { id: won.id, state: "succeeded" } });
}, 60_000);

test("healOnStart auto: after a start elsewhere the chain is redefined, then what is broken goes from record, libvirt and disk, and nothing else", async () => {
  const { vm, record } = await prepare("bitmap-removed-live", "heals-itself");
  await engine.stop();
  const config = rig.config({ redefineOnStart: "auto", healOnStart: "auto" });
  engine = await startEngine({ databaseUrl: url, config });
  await applyScenario(rig.lab, findScenario("bitmap-removed-live"), vm);
  await vm.stop();
  await vm.moveStopped("beta");
  await vm.start();
  const chain = await until(
    () => chainOf(vm.id),
    (now) => now.agreement === "agrees" && now.host.checkpoints?.length === 4 && now.vm.hostName === "beta",
    4 * WITHIN_MS,
  );
  expect(chain.findings).toEqual([]);
  const kept = record.map(({ id, disks }) => [id, disks.filter((disk) => id !== "cp2" || disk !== "vda")]);
  expect(chain.record.checkpoints.map(({ id, disks }) => [id, disks.toSorted()])).toEqual(kept);
  // libvirt and QEMU themselves, asked by another program.
  const listed = await vm.checkpoints();
  expect(listed.map(({ id, disks }) => [id, disks.map(({ target }) => target).sort()])).toEqual(kept);
  const bitmaps = (await vm.bitmaps()).map(({ target, name }) => `${target} ${name}`).sort();
  expect(bitmaps).toEqual(kept.flatMap(([id, disks = []]) => [...disks].map((disk) => `${disk} ${id}`)).sort());
  const jobs = await query(`select kind, actor, state, reason from jobs where vm_id = '${vm.id}' order by created_at`);
  const byPolicy = { actor: "driftline", state: "succeeded" };
  expect(jobs).toEqual([
    { kind: "redefine", ...byPolicy, reason: "policy: redefineOnStart" },
    { kind: "heal", ...byPolicy, reason: "policy: healOnStart" },
  ]);
}, 90_000);
