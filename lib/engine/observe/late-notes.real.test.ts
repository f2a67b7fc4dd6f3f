import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { getVm, inTransaction, listPresence, savePresenceError, touchUnchanged } from "#db/index.ts";
import { openRig, type Rig } from "../testing/rig.ts";
import { readHost } from "./read.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

test("a sweep's late note that a VM is unchanged never makes a newer read older, nor another read or a failure new", async () => {
  const agent = await rig.newHost("late");
  const vmId = randomUUID();
  agent.sim.define(vmId, "late", [{ target: "vda", sizeMiB: 64 }]);
  const engine = await rig.newEngine(await rig.newDatabase(), [agent]);
  const [host] = engine.hosts.values();
  if (!host) throw new Error("there is no host");
  await readHost(engine, host);
  const seen = async () => {
    const [presence] = await listPresence(engine.db.orm, vmId);
    const vm = await getVm(engine.db.orm, vmId);
    if (!presence?.observedAt || !presence.digest) throw new Error("it was not read");
    expect([vm?.observedAt, vm?.triedAt]).toEqual([presence.observedAt, presence.observedAt]);
    return { at: presence.observedAt, digest: presence.digest };
  };
  const note = (digest: string, at: number, now?: Date) =>
    inTransaction(engine.db, (tx) => touchUnchanged(tx, host.id, [{ vmId, digest }], new Date(at), now));
  const { at, digest } = await seen();
  const readAt = Date.parse(at);

  await note(digest, readAt - 10_000);
  expect((await seen()).at).toBe(at);
  await note("another", readAt + 10_000);
  expect((await seen()).at).toBe(at);
  // Dated by a clock ahead of ours: it gives way.
  await note(digest, readAt - 10_000, new Date(readAt - 5_000));
  expect(Date.parse((await seen()).at)).toBe(readAt - 10_000);
  await note(digest, readAt + 10_000);
  expect(Date.parse((await seen()).at)).toBe(readAt + 10_000);

  const error = { code: "timeout", message: "Late.", hostMessage: null, retryable: true } as const;
  await inTransaction(engine.db, (tx) => savePresenceError(tx, vmId, host.id, new Date(readAt + 20_000), error));
  await note(digest, readAt + 15_000);
  expect(Date.parse((await seen()).at)).toBe(readAt + 10_000);
});
