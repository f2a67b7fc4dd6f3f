import { describe, expect, test } from "vitest";
import { healthyInput, healthyLine } from "../testing/healthy.ts";
import { agreementOf, nextBackup, summariseNextBackup } from "../verdict.ts";
import { findDrift } from "./index.ts";

describe("findDrift", () => {
  test.each(["running", "paused", "shut-off"] as const)("says nothing of a %s VM whose witnesses agree", (power) => {
    const input = healthyInput({ parents: [null, 0, 1, 1, 3], targets: ["vda", "vdb"], power });
    expect(findDrift(input)).toEqual([]);
    expect(agreementOf({ observation: input.observation, findings: [] })).toBe("agrees");
  });

  test("says nothing of an absent VM, and its agreement is unknown", () => {
    const input = healthyLine(3, ["vda"], "absent");
    input.observation.checkpoints = { ok: true, value: [] };
    expect(findDrift(input)).toEqual([]);
    expect(agreementOf({ observation: input.observation, findings: [] })).toBe("unknown");
  });

  test("after libvirt lost its list every checkpoint is metadata.missing and the next backup is blocked", () => {
    const input = healthyLine(3, ["vda", "vdb"]);
    input.observation.checkpoints = { ok: true, value: [] };
    const findings = findDrift(input);
    expect(findings.map(({ id }) => id)).toEqual([
      "metadata.missing|cp0||",
      "metadata.missing|cp1||",
      "metadata.missing|cp2||",
    ]);
    const verdicts = nextBackup({ record: input.record, observation: input.observation, findings });
    expect(verdicts.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ["blocked", "metadata-missing"],
      ["blocked", "metadata-missing"],
    ]);
    expect(summariseNextBackup(verdicts)).toBe("blocked");
  });
});
