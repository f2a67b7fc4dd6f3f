import { describe, expect, test } from "vitest";
import { REMEDIES } from "#chain/model.ts";
import { planRequestInput } from "#contract/engine-plans.ts";
import { planRequestOf } from "./remedies.ts";

const whole = { id: "kind|cp1|vda|b1", subject: { checkpointId: "cp1", disk: "vda", bitmap: "b1" } };

describe("planRequestOf", () => {
  test("every remedy but explain asks for a plan that the engine's own schema takes", () => {
    for (const remedy of REMEDIES) {
      const request = planRequestOf(remedy, whole);
      if (remedy === "explain") expect(request).toBeNull();
      else expect(planRequestInput.parse(request)).toEqual(request);
    }
  });

  test("a remedy names what its finding is about and nothing else", () => {
    expect(planRequestOf("heal", whole)?.params).toMatchObject({ findings: [whole.id] });
    expect(planRequestOf("remove", whole)?.params).toEqual({ checkpointIds: ["cp1"], bitmaps: [] });
    expect(planRequestOf("remove-bitmap", whole)?.params).toEqual({
      checkpointIds: [],
      bitmaps: [{ disk: "vda", bitmap: "b1" }],
    });
    expect(planRequestOf("abort", whole)?.params).toMatchObject({ abortJob: true, closeBackup: false, links: false });
  });

  test("a finding without the part that a remedy needs offers no plan instead of a wider one", () => {
    const bare = { id: "x", subject: { checkpointId: null, disk: null, bitmap: null } };
    for (const remedy of ["adopt", "remove", "remove-bitmap", "retire"] as const)
      expect(planRequestOf(remedy, bare)).toBeNull();
  });
});
