import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Chain } from "#contract/engine-vms.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "#db/embedded.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import {
  applyScenario,
  type ExpectedFinding,
  prepareScenario,
  SCENARIOS,
  type Scenario,
  undoScenario,
} from "#lab/scenarios/index.ts";
import { connectEngine, type EngineClient, waitFor } from "./api.ts";
import { ensureBuild } from "./build.ts";
import { applyRecordDrift, RECORD_DRIFTS, undoRecordDrift } from "./record-drift.ts";
import { registerRecord } from "./showcase.ts";
import { type Stack, stackHosts, startStack } from "./stack.ts";

/** The bound that the product promises, from the event (or the one observe) to the findings. */
const FOUND_WITHIN_MS = 5000;

let lab: Lab;
let database: EmbeddedPostgres;
let stack: Stack;
let api: EngineClient;
let dir: string;

beforeAll(async () => {
  await ensureBuild();
  dir = realpathSync(mkdtempSync(join(tmpdir(), "dl-scenarios-")));
  lab = await openLab({ hosts: ["alpha", "beta"] });
  const hosts = stackHosts(lab);
  // No sweep within the test: what is found was found by an event or by the one observe that was asked for.
  database = await startEmbeddedPostgres({ dataDir: join(dir, "database") });
  const policy = { observeEverySeconds: 3600, staleAfterSeconds: 7200 };
  stack = await startStack({ dir, hosts, policy, databaseUrl: database.url });
  api = connectEngine(stack.url, stack.apiKey);
}, 400_000);

afterAll(async () => {
  await stack?.stop();
  await database?.stop();
  await lab?.close();
  if (dir) rmSync(dir, { recursive: true, force: true });
}, 120_000);

const matches = (finding: Chain["findings"][number], expected: ExpectedFinding): boolean =>
  finding.kind === expected.kind &&
  finding.subject.checkpointId === (expected.checkpointId ?? null) &&
  finding.subject.disk === (expected.disk ?? null) &&
  finding.subject.bitmap === (expected.bitmap ?? null) &&
  finding.reason === (expected.reason ?? null) &&
  finding.owner === (expected.owner ?? null);

/** What is wrong with an answer: findings that should be there and are not, and those that nothing explains. */
function judge(chain: Chain, scenario: Pick<Scenario, "expected">): { missing: ExpectedFinding[]; surplus: string[] } {
  const missing = scenario.expected.filter((expected) => !chain.findings.some((found) => matches(found, expected)));
  const surplus = chain.findings
    .filter((found) => !scenario.expected.some((expected) => matches(found, expected)))
    .map((found) => `${found.id} (${found.reason}, ${found.owner}): ${found.explanation}`);
  return { missing, surplus };
}

/** "Cannot tell" is said of the disk, or of the whole VM, and nothing is green. */
function judgeUnknown(chain: Chain, disk: string | null): string[] {
  const wrong: string[] = [];
  if (chain.agreement === "agrees") wrong.push("the VM is said to agree");
  if (disk === null && chain.host.status !== "failed") wrong.push(`the host read is ${chain.host.status}, not failed`);
  for (const verdict of chain.nextBackup)
    if ((disk === null || verdict.disk === disk) && verdict.verdict !== "unknown")
      wrong.push(`${verdict.disk}: the next backup is said to be ${verdict.verdict}`);
  return wrong;
}

async function settle(scenario: Scenario, vmId: string, startedAt: number): Promise<Chain> {
  const isRight = (chain: Chain) => {
    const { missing, surplus } = judge(chain, scenario);
    const unknown = scenario.cannotTell ? judgeUnknown(chain, scenario.cannotTell.disk) : [];
    return { ok: missing.length + surplus.length + unknown.length === 0, missing, surplus, unknown };
  };
  if (scenario.trigger === "observe") {
    const chain = await api.vms.observe({ vmId });
    expect(isRight(chain)).toEqual({ ok: true, missing: [], surplus: [], unknown: [] });
    return chain;
  }
  return await waitFor<Chain>(`${scenario.name} should be found`, FOUND_WITHIN_MS, async () => {
    const chain = await api.vms.chain({ vmId });
    const isRead = chain.host.triedAt !== null && Date.parse(chain.host.triedAt) >= startedAt;
    const judged = isRight(chain);
    return isRead && judged.ok ? { done: chain } : { notYet: { isRead, ...judged } };
  });
}

/** Where a backup could succeed with wrong data in it, the validation over the complete set names why and is not valid. */
async function expectInvalid(vmId: string, { findings }: Chain): Promise<void> {
  const losses = findings.filter(({ severity }) => severity === "loss").map(({ id }) => id);
  if (losses.length === 0) return;
  const validation = await api.vms.validate({ vmId });
  expect(validation.valid).toBe(false);
  expect(validation.findings.map(({ id }) => id)).toEqual(expect.arrayContaining(losses));
}

/** A domain that hung is asked again by itself after a pause: until then the answer stays "cannot tell". */
async function observeUntilRead(vmId: string): Promise<Chain> {
  return await waitFor<Chain>("the VM should be readable again", 20_000, async () => {
    const chain = await api.vms.observe({ vmId });
    return chain.host.status === "observed" ? { done: chain } : { notYet: chain.host.error };
  });
}

/** A disk that a block job took to another image is that disk again as soon as the job's event and a read have come. */
async function observeUntilMoved(vmId: string): Promise<Chain> {
  return await waitFor<Chain>("the way back to the base image should be seen", FOUND_WITHIN_MS, async () => {
    const chain = await api.vms.observe({ vmId });
    const replaced = chain.findings.filter(({ kind }) => kind === "disk.replaced");
    return replaced.length === 0 ? { done: chain } : { notYet: replaced };
  });
}

/** Steps that restart a host's daemon would disturb whatever else runs on it. */
const DISTURBING = new Set(["renamed", "qemu-hung"]);
const alone = SCENARIOS.filter(({ name }) => DISTURBING.has(name));
const together = SCENARIOS.filter(({ name }) => !DISTURBING.has(name));

async function proveScenario(scenario: Scenario): Promise<void> {
  const { vm, record } = await prepareScenario(lab, scenario, {});
  try {
    await registerRecord(api, vm.id, record);
    const whole = await api.vms.observe({ vmId: vm.id });
    expect(whole.findings).toEqual([]);
    expect(whole.agreement).toBe("agrees");

    const startedAt = Date.now();
    await applyScenario(lab, scenario, vm);
    const chain = await settle(scenario, vm.id, startedAt);
    await expectInvalid(vm.id, chain);

    await undoScenario(lab, vm, () => observeUntilMoved(vm.id));
    const undone = await observeUntilRead(vm.id);
    expect(undone.findings.map((finding) => finding.id)).toEqual([]);
    expect(undone.agreement).toBe("agrees");
  } finally {
    if ((await vm.power().catch(() => "gone")) === "running") await vm.kill().catch(() => {});
  }
}

describe("each drift is named exactly, and gone after it is undone: on a host of its own", () => {
  for (const scenario of alone) test(scenario.name, () => proveScenario(scenario), 120_000);
});

describe.concurrent("each drift is named exactly, and gone after it is undone: side by side", () => {
  for (const scenario of together) test(scenario.name, () => proveScenario(scenario), 120_000);
});

test("each drift that only the record can show is named exactly, and gone after it is undone", async () => {
  const { vm, record } = await prepareScenario(lab, SCENARIOS[0] ?? expect.fail(), { name: "record-drift" });
  await registerRecord(api, vm.id, record);
  for (const drift of RECORD_DRIFTS) {
    await applyRecordDrift(database.url, drift.name, vm.id);
    const drifted = await api.vms.observe({ vmId: vm.id });
    expect({ name: drift.name, ...judge(drifted, drift) }).toEqual({ name: drift.name, missing: [], surplus: [] });
    expect(drifted.agreement).toBe("differs");
    await undoRecordDrift(database.url, vm.id);
    const undone = await api.vms.observe({ vmId: vm.id });
    expect(undone.findings.map((finding) => finding.id)).toEqual([]);
    expect(undone.agreement).toBe("agrees");
  }
});
