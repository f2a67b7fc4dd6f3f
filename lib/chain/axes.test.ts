import { describe, expect, test } from "vitest";
import { agreementOf, freshnessOf } from "./axes.ts";
import { findDrift } from "./findings/index.ts";
import { healthyLine } from "./testing/healthy.ts";

const failed = { ok: false, error: { code: "timeout", message: "", hostMessage: null, retryable: true } } as const;

describe("agreementOf", () => {
  test("no observation is unknown, one under way is checking", () => {
    expect(agreementOf({ observation: null, findings: [] })).toBe("unknown");
    expect(agreementOf({ observation: null, findings: [], checking: true })).toBe("checking");
  });

  test.each(["checkpoints", "job", "disk", "power"] as const)("a read that lacks its %s never agrees", (part) => {
    const { observation } = healthyLine(2, ["vda", "vdb"]);
    if (part === "checkpoints") observation.checkpoints = failed;
    if (part === "job") observation.job = failed;
    if (part === "power") observation.power = "unknown";
    const [disk] = observation.disks;
    if (part === "disk" && disk) disk.layers = failed;
    expect(agreementOf({ observation, findings: [] })).toBe("unknown");
  });

  test("a proven difference counts even in a partial read, an accepted one does not", () => {
    const input = healthyLine(2);
    if (input.observation.checkpoints.ok) input.observation.checkpoints.value.pop();
    input.observation.job = failed;
    const { observation } = input;
    expect(agreementOf({ observation, findings: findDrift(input) })).toBe("differs");
    const findings = findDrift(input).map((finding) => ({ ...finding, acknowledged: true }));
    expect(agreementOf({ observation, findings })).toBe("unknown");
  });

  test("an old agreement is not repeated, an old difference is", () => {
    const { observation } = healthyLine(1);
    expect(agreementOf({ observation, findings: [], freshness: "ageing" })).toBe("agrees");
    expect(agreementOf({ observation, findings: [], freshness: "stale" })).toBe("unknown");
    expect(agreementOf({ observation, findings: [], freshness: "offline" })).toBe("unknown");
    const input = healthyLine(1);
    input.observation.checkpoints = { ok: true, value: [] };
    expect(agreementOf({ ...input, findings: findDrift(input), freshness: "stale" })).toBe("differs");
  });

  test("a raw disk is no difference", () => {
    const input = healthyLine(1);
    input.observation.disks.push({
      target: "vdz",
      source: "/z",
      format: "raw",
      virtualSize: 1,
      identity: null,
      layers: { ok: true, value: [] },
    });
    const findings = findDrift(input);
    expect(findings.map(({ kind }) => kind)).toEqual(["disk.unsupported"]);
    expect(agreementOf({ observation: input.observation, findings })).toBe("agrees");
  });
});

describe("freshnessOf", () => {
  const base = {
    hostOffline: false,
    triedFailed: false,
    now: "2026-01-01T00:10:00.000Z",
    staleAfterMs: 300_000,
    observeEveryMs: 60_000,
  };
  test.each([
    ["2026-01-01T00:09:30.000Z", "fresh"],
    ["2026-01-01T00:08:00.000Z", "fresh"],
    ["2026-01-01T00:07:59.000Z", "ageing"],
    ["2026-01-01T00:05:00.000Z", "ageing"],
    ["2026-01-01T00:04:59.000Z", "stale"],
    ["2026-01-01T00:11:00.000Z", "fresh"],
    ["not a time", "stale"],
    [null, "stale"],
  ])("%s is %s", (observedAt, expected) => {
    expect(freshnessOf({ ...base, observedAt })).toBe(expected);
    expect(freshnessOf({ ...base, observedAt, now: Date.parse(base.now) })).toBe(expected);
    expect(freshnessOf({ ...base, observedAt, triedFailed: true })).toBe("stale");
    expect(freshnessOf({ ...base, observedAt, triedFailed: true, hostOffline: true })).toBe("offline");
  });
});
