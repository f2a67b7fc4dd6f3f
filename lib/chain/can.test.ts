import { describe, expect, test } from "vitest";
import * as can from "./can.ts";

const ready: can.VmSituation = {
  role: "admin",
  hostId: "h",
  hostOnline: true,
  power: "running",
  observed: true,
  findings: [],
  jobRunning: false,
};
const codes = (answer: can.Eligibility) => (answer.ok ? [] : answer.reasons.map(({ code }) => code));

describe("can", () => {
  test("support may observe and validate, a viewer may not and is told why", () => {
    expect(can.canObserve({ ...ready, role: "support" })).toEqual({ ok: true });
    expect(can.canValidate({ ...ready, role: "support" })).toEqual({ ok: true });
    expect(codes(can.canObserve({ ...ready, role: "viewer" }))).toEqual(["role"]);
  });

  test("every reason is given at once", () => {
    expect(codes(can.canObserve({ ...ready, role: "viewer", hostOnline: false }))).toEqual(["role", "host-offline"]);
    expect(codes(can.canObserve({ ...ready, hostId: null }))).toEqual(["no-host"]);
    expect(codes(can.canValidate({ ...ready, power: "absent" }))).toEqual(["vm-absent"]);
  });

  test("a running job is no obstacle to looking", () => {
    expect(can.canObserve({ ...ready, jobRunning: true })).toEqual({ ok: true });
  });

  test("what this version cannot do is said honestly, with the other reasons beside it", () => {
    const stopped: can.VmSituation = { ...ready, role: "viewer", power: "shut-off", jobRunning: true };
    expect(codes(can.canFullBackup(stopped))).toEqual(["role", "not-in-this-version", "job-running", "vm-not-running"]);
    expect(
      codes(can.canApplyPlan({ ...ready, role: "support", findings: [{ kind: "vm.two-hosts", remedies: [] }] })),
    ).toEqual(["role", "not-in-this-version", "two-hosts"]);
    for (const check of [
      can.canFullBackup,
      can.canBackup,
      can.canPreparePlan,
      can.canApplyPlan,
      can.canRedefine,
      can.canHeal,
    ]) {
      expect(codes(check(ready))).toContain("not-in-this-version");
    }
  });

  test("a remedy that no finding asks for has nothing to do", () => {
    expect(codes(can.canHeal(ready))).toContain("nothing-to-do");
    const broken: can.VmSituation = { ...ready, findings: [{ kind: "bitmap.missing", remedies: ["heal"] }] };
    expect(codes(can.canHeal(broken))).not.toContain("nothing-to-do");
    expect(codes(can.canRedefine(broken))).toContain("nothing-to-do");
  });

  test("roles contain each other in order", () => {
    const roles = ["viewer", "support", "operator", "admin"] as const;
    for (const [at, role] of roles.entries()) {
      expect(roles.filter((needed) => can.hasRole(role, needed))).toEqual(roles.slice(0, at + 1));
    }
    expect(codes(can.canManageHosts({ role: "operator" }))).toEqual(["role"]);
    expect(can.canRegisterCheckpoint({ role: "operator" })).toEqual({ ok: true });
  });

  test("a failed attempt is not an observation", () => {
    const failed = { code: "timeout", message: "", hostMessage: null, retryable: true } as const;
    expect(can.wasObserved(null)).toEqual({ observed: false, error: null });
    expect(can.wasObserved({ at: "", failed })).toEqual({ observed: false, error: failed });
  });
});
