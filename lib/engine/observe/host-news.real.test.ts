/** What open pages are told of a host: they read its VMs again for it. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { notifyChange } from "#db/index.ts";
import { AgentCutOff } from "../agents/failure.ts";
import { openRig, type Rig, until } from "../testing/rig.ts";
import { contactHost, noteHostFailure, readHost } from "./read.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

test("a host is news when it changed, and not because it answered again or is still away", async () => {
  const agent = await rig.newHost("news");
  const engine = await rig.newEngine(await rig.newDatabase(), [agent]);
  const [host] = engine.hosts.values();
  if (!host) throw new Error("there is no host");
  const heard: { type: string; vmId?: string; hostId?: string }[] = [];
  engine.changes.subscribe((event) => {
    if (typeof event === "object") heard.push(event);
  });
  /** Events come in the order of their commits: whatever was told before the mark has been heard with it. */
  const newsOf = async (work: () => Promise<unknown>) => {
    await work();
    const vmId = randomUUID();
    await until(
      async () => {
        await notifyChange(engine.db.orm, { type: "vm", vmId });
        return heard;
      },
      (events) => events.some((event) => event.vmId === vmId),
    );
    return heard.splice(0).filter(({ type }) => type === "host").length;
  };
  await newsOf(async () => {});
  expect(await newsOf(() => contactHost(engine, host))).toBe(1);
  const again = async () => {
    await contactHost(engine, host);
    await readHost(engine, host);
    await contactHost(engine, host);
  };
  expect(await newsOf(again)).toBe(0);
  agent.sim.setConnected(false);
  expect(await newsOf(() => contactHost(engine, host))).toBe(1);
  expect(await newsOf(() => noteHostFailure(engine, host, new AgentCutOff()))).toBe(1);
  expect(await newsOf(() => noteHostFailure(engine, host, new AgentCutOff()))).toBe(0);
  expect(await newsOf(() => noteHostFailure(engine, host, new AgentCutOff("Another reason.")))).toBe(1);
  agent.sim.setConnected(true);
  expect(await newsOf(() => contactHost(engine, host))).toBe(1);
});
