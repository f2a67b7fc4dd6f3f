/**
 * Every drift that the lab can make, seen through the agent and judged by the domain's rules: what is found is what the
 * lab says must be found, and nothing else.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countsOf } from "#chain/digest.ts";
import { findDrift } from "#chain/findings/index.ts";
import type { DriftInput, Finding, Observation, VmRecord } from "#chain/model.ts";
import { unreadOf } from "#chain/trust.ts";
import type { ObserveItem } from "#contract/agent.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import {
  applyScenario,
  type ExpectedFinding,
  prepareScenario,
  type RecordedCheckpoint,
  SCENARIOS,
} from "#lab/scenarios/index.ts";
import { observationOf } from "./contract-suite.ts";
import { AgentProcess } from "./testing/agent-process.ts";

const HOSTS = ["a", "b"];
const OBSERVED = { observedAt: new Date(0).toISOString() };

function toRecord(vmId: string, recorded: RecordedCheckpoint[], first: Observation, hostId: string): VmRecord {
  return {
    vmId,
    revision: 1,
    checkpoints: recorded.map(({ id, parentId, createdAt, disks }, sequence) => ({
      id,
      parentId,
      createdAt,
      sequence,
      state: "active",
      origin: "driftline",
      disks: disks.map((target) => ({ target, granularity: null })),
      backup: "finished",
    })),
    disks: first.disks.map(({ target, identity }) => ({
      target,
      identity,
      identityHostId: hostId,
      firstSeenAt: new Date(0).toISOString(),
      retiredAt: null,
    })),
    acknowledged: [],
  };
}

const matches = (finding: Finding, wanted: ExpectedFinding): boolean =>
  finding.kind === wanted.kind &&
  (wanted.checkpointId === undefined || finding.subject.checkpointId === wanted.checkpointId) &&
  (wanted.disk === undefined || finding.subject.disk === wanted.disk) &&
  (wanted.bitmap === undefined || finding.subject.bitmap === wanted.bitmap) &&
  (wanted.reason === undefined || finding.reason === wanted.reason);

describe("drifts seen through the agent", () => {
  let lab: Lab;
  const agents = new Map<string, AgentProcess>();

  beforeAll(async () => {
    lab = await openLab({ hosts: HOSTS });
    for (const name of HOSTS) agents.set(name, await AgentProcess.start({ libvirtUri: lab.host(name).uri }));
  });
  afterAll(async () => {
    for (const agent of agents.values()) await agent.stop();
    await lab?.close();
  });

  const observe = async (host: string, vmId: string): Promise<ObserveItem> => {
    const agent = agents.get(host);
    if (agent === undefined) throw new Error(`no agent on ${host}`);
    return await agent.observeOne(vmId);
  };

  it.each(SCENARIOS.map((s) => [s.name, s] as const))("%s", async (_, scenario) => {
    const { vm, record } = await prepareScenario(lab, scenario, { host: "a" });
    const first = observationOf(await observe("a", vm.id));
    const vmRecord = toRecord(vm.id, record, first, "a");
    const judge = (observation: Observation, more: Partial<DriftInput>): Finding[] =>
      findDrift({
        record: vmRecord,
        hostId: "a",
        observation,
        samples: countsOf(first).map((c) => ({ ...c, at: first.observedAt, runtimeId: first.runtimeId })),
        inFlight: [],
        activeElsewhere: [],
        provenMoves: [],
        runningBackup: null,
        jobLimitMs: 3_600_000,
        ...more,
      });
    expect(judge(first, {}), "healthy before").toEqual([]);

    await applyScenario(lab, scenario, vm);
    const items = new Map<string, ObserveItem>();
    for (const host of HOSTS) items.set(host, await observe(host, vm.id));
    const home = items.get(vm.host);
    if (home?.type === "absent") {
      // Its record stands and nothing is drift: a transient VM that was stopped.
      expect(await vm.power()).toBe("absent");
      expect(scenario.expected).toEqual([]);
      return;
    }
    if (home?.type !== "observation") {
      expect(scenario.cannotTell, JSON.stringify(home)).toEqual({ disk: null });
      return;
    }
    const elsewhere = HOSTS.filter((host) => host !== vm.host).filter((host) => {
      const item = items.get(host);
      return item?.type === "observation" && ["running", "paused"].includes(item.observation.power);
    });
    const activeElsewhere = elsewhere.map((host) => ({ hostId: host, hostName: host, ...OBSERVED }));
    const found = judge(home.observation, { hostId: vm.host, activeElsewhere });
    const shown = JSON.stringify(found.map((f) => [f.kind, f.subject, f.reason]));
    for (const wanted of scenario.expected) {
      expect(
        found.some((finding) => matches(finding, wanted)),
        `${JSON.stringify(wanted)} in ${shown}`,
      ).toBe(true);
    }
    const allowed = [...scenario.expected, ...(scenario.mayAlso ?? [])];
    const surplus = found.filter((finding) => !allowed.some((wanted) => matches(finding, wanted)));
    expect(surplus.map((f) => [f.kind, f.subject, f.reason])).toEqual([]);
    const unread = unreadOf(home.observation).map((u) => u.disk);
    expect(unread).toEqual(scenario.cannotTell === undefined ? [] : [scenario.cannotTell.disk]);
  });
});
