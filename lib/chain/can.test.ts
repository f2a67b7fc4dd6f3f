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

  test("everything that stands against a backup or a plan is said, also for somebody without the role", () => {
    const stopped: can.VmSituation = { ...ready, role: "viewer", power: "shut-off", jobRunning: true };
    expect(codes(can.canFullBackup(stopped))).toEqual(["role", "job-running", "vm-not-running"]);
    expect(
      codes(can.canApplyPlan({ ...ready, role: "support", findings: [{ kind: "vm.two-hosts", remedies: [] }] })),
    ).toEqual(["role", "two-hosts"]);
    for (const check of [can.canFullBackup, can.canBackup, can.canPreparePlan, can.canApplyPlan]) {
      expect(check(ready)).toEqual({ ok: true });
    }
  });

  test("support applies the plans that name its role, and no others", () => {
    const support: can.VmSituation = { ...ready, role: "support" };
    expect(can.canApplyPlan(support, "support")).toEqual({ ok: true });
    expect(codes(can.canApplyPlan(support, "operator"))).toEqual(["role"]);
  });

  test("a plan is confirmed only while it is ready, with every loss ticked and the name typed exactly", () => {
    const plan: can.PlanToConfirm = { state: "ready", losses: [{ id: "a" }, { id: "b" }], confirm: "mail-01" };
    const given = (ids: string[], typed: string) => ({ acknowledged: new Set(ids), typed });
    expect(codes(can.canConfirmPlan(plan, given(["a"], "mail")))).toEqual(["loss-not-ticked", "not-typed"]);
    expect(codes(can.canConfirmPlan(plan, given(["a", "b"], "Mail-01")))).toEqual(["not-typed"]);
    expect(can.canConfirmPlan(plan, given(["a", "b"], "mail-01"))).toEqual({ ok: true });
    for (const state of ["applied", "expired", "out-of-date"] as const)
      expect(codes(can.canConfirmPlan({ ...plan, state }, given(["a", "b"], "mail-01")))).toEqual(["plan-not-ready"]);
    expect(can.canConfirmPlan({ state: "ready", losses: [], confirm: null }, given([], ""))).toEqual({ ok: true });
  });

  test("a job that has ended or is stopping already cannot be cancelled, and a viewer never cancels", () => {
    const job = { role: "operator", needs: "support", isOver: false, isCancelling: false } as const;
    expect(can.canCancelJob(job)).toEqual({ ok: true });
    expect(codes(can.canCancelJob({ ...job, isOver: true, isCancelling: true }))).toEqual(["job-ended"]);
    expect(codes(can.canCancelJob({ ...job, isCancelling: true }))).toEqual(["job-ended"]);
    expect(codes(can.canCancelJob({ ...job, role: "viewer" }))).toEqual(["role"]);
  });

  test("a job is cancelled by who may start it: support cancels no job of an operator's plan", () => {
    const job = { needs: "operator", isOver: false, isCancelling: false } as const;
    expect(codes(can.canCancelJob({ ...job, role: "support" }))).toEqual(["role"]);
    expect(can.canCancelJob({ ...job, role: "operator" })).toEqual({ ok: true });
    expect(can.canCancelJob({ ...job, needs: "support", role: "support" })).toEqual({ ok: true });
  });

  test("a backup that did not finish cannot be verified", () => {
    expect(can.canVerifyBackup({ role: "support", isFinished: true })).toEqual({ ok: true });
    expect(codes(can.canVerifyBackup({ role: "viewer", isFinished: false }))).toEqual(["role", "backup-not-finished"]);
  });

  test("a remedy is planned exactly where a finding offers it, and a job that runs is no obstacle to planning", () => {
    const broken: can.VmSituation = { ...ready, findings: [{ kind: "bitmap.missing", remedies: ["heal"] }] };
    expect(can.canPlanRemedy(broken, "heal")).toEqual({ ok: true });
    expect(can.canPlanRemedy({ ...broken, jobRunning: true }, "heal")).toEqual({ ok: true });
    expect(codes(can.canPlanRemedy(broken, "redefine"))).toEqual(["nothing-to-do"]);
    expect(codes(can.canPlanRemedy({ ...ready, role: "viewer" }, "heal"))).toEqual(["role", "nothing-to-do"]);
  });

  test("several VMs at once are bounded, and none is not some", () => {
    const bulk = { role: "support", needs: "support", count: 100 } as const;
    expect(can.canBulk(bulk)).toEqual({ ok: true });
    expect(codes(can.canBulk({ ...bulk, count: 101 }))).toEqual(["too-many"]);
    expect(codes(can.canBulk({ ...bulk, role: "viewer", count: 0 }))).toEqual(["role", "nothing-to-do"]);
  });

  test("without a recorded checkpoint there is nothing to prune", () => {
    expect(can.canPrune(ready, 1)).toEqual({ ok: true });
    expect(codes(can.canPrune({ ...ready, role: "viewer" }, 0))).toEqual(["role", "nothing-to-do"]);
  });

  test("roles contain each other in order", () => {
    const roles = ["viewer", "support", "operator", "admin"] as const;
    for (const [at, role] of roles.entries()) {
      expect(roles.filter((needed) => can.hasRole(role, needed))).toEqual(roles.slice(0, at + 1));
    }
    expect(codes(can.canManageHosts({ role: "operator" }))).toEqual(["role"]);
    expect(codes(can.canObserveHost({ role: "viewer" }))).toEqual(["role"]);
    expect(can.canObserveHost({ role: "support" })).toEqual({ ok: true });
  });
});
