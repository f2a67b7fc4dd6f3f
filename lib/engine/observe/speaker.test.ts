import { expect, test } from "vitest";
import { activeElsewhere, chooseSpeaker, type HostView } from "./speaker.ts";

const view = (hostId: string, more: Partial<HostView>): HostView => ({
  hostId,
  hostName: hostId,
  hostOffline: false,
  power: "shut-off",
  observedAt: "2026-01-01T00:00:00Z",
  activeSince: null,
  ...more,
});
const running = (hostId: string, since: string, read: string, more: Partial<HostView> = {}) =>
  view(hostId, { power: "running", activeSince: since, observedAt: read, ...more });

test("the host that runs the VM speaks, whoever spoke before", () => {
  const a = view("a", {});
  const b = running("b", "2026-01-01T00:00:01Z", "2026-01-01T00:00:01Z");
  expect(chooseSpeaker([a, b], "a")?.hostId).toBe("b");
});

test("between two hosts that have it shut off, the one that spoke goes on", () => {
  const views = [view("a", {}), view("b", { observedAt: "2026-01-02T00:00:00Z" })];
  expect(chooseSpeaker(views, "a")?.hostId).toBe("a");
  expect(chooseSpeaker(views, null)?.hostId).toBe("b");
});

test("an offline host that showed it running outweighs one that has it shut off", () => {
  const a = running("a", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", { hostOffline: true });
  expect(chooseSpeaker([a, view("b", {})], "b")?.hostId).toBe("a");
});

test("a host that does not know the VM speaks only when no other does", () => {
  const absent = view("a", { power: "absent" });
  expect(chooseSpeaker([absent, view("b", { hostOffline: true })], "a")?.hostId).toBe("b");
  expect(chooseSpeaker([absent], null)?.hostId).toBe("a");
  expect(chooseSpeaker([], null)).toBeNull();
});

test("two hosts count as proven only when each was read after both had begun to run it", () => {
  const a = running("a", "2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z");
  const b = running("b", "2026-01-01T00:00:05Z", "2026-01-01T00:00:06Z");
  expect(activeElsewhere([a, b], b)).toEqual({ proven: [a], unproven: [], toRead: [] });
  const old = { ...a, observedAt: "2026-01-01T00:00:04Z" };
  expect(activeElsewhere([old, b], b)).toEqual({ proven: [], unproven: [old], toRead: [old] });
  expect(activeElsewhere([old, b], old)).toEqual({ proven: [], unproven: [b], toRead: [old] });
});

test("an offline host whose last read is from before cannot confirm and is not counted; what it proved before stands", () => {
  const b = running("b", "2026-01-01T00:00:05Z", "2026-01-01T00:00:06Z");
  const died = running("a", "2026-01-01T00:00:00Z", "2026-01-01T00:00:04Z", { hostOffline: true });
  expect(activeElsewhere([died, b], b)).toEqual({ proven: [], unproven: [], toRead: [] });
  const left = { ...died, observedAt: "2026-01-01T00:00:05Z" };
  expect(activeElsewhere([left, b], b)).toEqual({ proven: [left], unproven: [], toRead: [] });
});

test("the host that speaks is read again when another one began to run the VM after its last read, offline or not", () => {
  const a = running("a", "2026-01-01T00:00:00Z", "2026-01-01T00:00:04Z");
  const b = running("b", "2026-01-01T00:00:05Z", "2026-01-01T00:00:05Z", { hostOffline: true });
  expect(activeElsewhere([a, b], a)).toEqual({ proven: [], unproven: [b], toRead: [a] });
});

test("a VM that is shut off here is not on two hosts", () => {
  const a = running("a", "2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z");
  const b = view("b", {});
  expect(activeElsewhere([a, b], b)).toEqual({ proven: [], unproven: [], toRead: [] });
});
