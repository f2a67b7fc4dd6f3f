/** What somebody may do now, and if not, why not. Buttons, palette, API and tests all ask here. */
import { LIMITS } from "./limits.ts";
import type { Finding, Power, Remedy } from "./model.ts";

export type ActorRole = "viewer" | "support" | "operator" | "admin";

export type ReasonCode =
  | "role"
  | "no-host"
  | "host-offline"
  | "vm-absent"
  | "vm-not-running"
  | "two-hosts"
  | "job-running"
  | "not-observed"
  | "record-broken"
  | "disk-unreadable"
  | "nothing-to-do"
  | "plan-not-ready"
  | "loss-not-ticked"
  | "not-typed"
  | "too-many"
  | "job-ended"
  | "backup-not-finished";
/** `text` is one sentence for the person who may not. */
export type Reason = { code: ReasonCode; text: string };
export type Eligibility = { ok: true } | { ok: false; reasons: Reason[] };

/** What the answer depends on. `power` null and `observed` null: never read. */
export type VmSituation = {
  role: ActorRole;
  hostId: string | null;
  hostOnline: boolean;
  power: Power | null;
  /** A complete read exists. */
  observed: boolean;
  findings: readonly Pick<Finding, "kind" | "remedies">[];
  /** A job of ours, or one that libvirt reports, holds the VM. */
  jobRunning: boolean;
};

const RANK: Readonly<Record<ActorRole, number>> = { viewer: 0, support: 1, operator: 2, admin: 3 };
const NEEDS: Readonly<Record<ActorRole, string>> = {
  viewer: "Everybody who is signed in may do this.",
  support: "This needs the support role or higher.",
  operator: "This needs the operator role or higher.",
  admin: "This needs the admin role.",
};

/** Does `role` include `needed`? */
export function hasRole(role: ActorRole, needed: ActorRole): boolean {
  return RANK[role] >= RANK[needed];
}

/** Read the host now. */
export function canObserve(vm: VmSituation): Eligibility {
  return eligibility([...role(vm.role, "support"), ...reachable(vm)]);
}

/** Read every VM of a host now. A host that is silent is tried all the same: it may have come back. */
export function canObserveHost(asked: Pick<VmSituation, "role">): Eligibility {
  return eligibility(role(asked.role, "support"));
}

/** Validate the complete set now; reads the host and changes nothing. */
export function canValidate(vm: VmSituation): Eligibility {
  return eligibility([...role(vm.role, "support"), ...reachable(vm), ...known(vm)]);
}

/** A full backup of every disk. */
export function canFullBackup(vm: VmSituation): Eligibility {
  return eligibility([...role(vm.role, "support"), ...backupState(vm)]);
}

/** A backup that takes for each disk what its verdict allows. */
export function canBackup(vm: VmSituation): Eligibility {
  const broken = has(vm, "record.cycle") || has(vm, "record.missing-parent");
  const reasons = broken ? [reason("record-broken", "The recorded links between checkpoints are broken.")] : [];
  return eligibility([...role(vm.role, "operator"), ...backupState(vm), ...reasons]);
}

/** Compute a plan. It changes nothing, so that a running job is no obstacle. */
export function canPreparePlan(vm: VmSituation): Eligibility {
  return eligibility([...role(vm.role, "support"), ...observedOnce(vm), ...oneHost(vm)]);
}

/** Run a plan on this VM. `needed`: the least role, which the plan itself names. */
export function canApplyPlan(vm: VmSituation, needed: ActorRole = "operator"): Eligibility {
  return eligibility([...role(vm.role, needed), ...reachable(vm), ...observedOnce(vm), ...oneHost(vm), ...idle(vm)]);
}

/** Plan a remedy of every finding that offers it. */
export function canPlanRemedy(vm: VmSituation, remedy: Remedy): Eligibility {
  const prepared = canPreparePlan(vm);
  const reasons = prepared.ok ? [] : prepared.reasons;
  const isOffered = vm.findings.some((finding) => finding.remedies.includes(remedy));
  return eligibility(isOffered ? reasons : [...reasons, reason("nothing-to-do", "No finding offers it.")]);
}

/** Plan which old checkpoints go. `recorded`: how many there are. */
export function canPrune(vm: VmSituation, recorded: number): Eligibility {
  const prepared = canPreparePlan(vm);
  const reasons = prepared.ok ? [] : prepared.reasons;
  return eligibility(
    recorded > 0 ? reasons : [...reasons, reason("nothing-to-do", "No checkpoint is recorded that could go.")],
  );
}

/** As the plan is at this moment: one that was ready when it was read may have expired since. */
export type PlanToConfirm = {
  state: "ready" | "applied" | "expired" | "out-of-date";
  losses: readonly { id: string }[];
  /** What must be typed, or null. */
  confirm: string | null;
};

const PLAN_STATE_REASONS = {
  applied: "The plan was applied already. A plan runs at most once.",
  expired: "The plan has expired. Plan again to see what would happen now.",
  "out-of-date": "What the plan stands on has changed. Plan again to see what would happen now.",
} as const;

/** Has whoever applies the plan read and accepted what it asks: every loss ticked, the name typed exactly? */
export function canConfirmPlan(
  plan: PlanToConfirm,
  given: { acknowledged: ReadonlySet<string>; typed: string },
): Eligibility {
  if (plan.state !== "ready") return eligibility([reason("plan-not-ready", PLAN_STATE_REASONS[plan.state])]);
  const open = plan.losses.filter((loss) => !given.acknowledged.has(loss.id)).length;
  const left =
    open === 1 && plan.losses.length === 1 ? "Tick what is lost first." : `Tick each loss first: ${open} left.`;
  return eligibility([
    ...(open > 0 ? [reason("loss-not-ticked", left)] : []),
    ...(plan.confirm !== null && given.typed !== plan.confirm
      ? [reason("not-typed", `Type “${plan.confirm}” to confirm.`)]
      : []),
  ]);
}

/** Do something to several VMs at once. What stands against it for one of them, that one's own part says. */
export function canBulk(bulk: { role: ActorRole; needs: ActorRole; count: number }): Eligibility {
  const { count } = bulk;
  return eligibility([
    ...role(bulk.role, bulk.needs),
    ...(count === 0 ? [reason("nothing-to-do", "No VM is selected.")] : []),
    ...(count > LIMITS.bulkVms ? [reason("too-many", `At most ${LIMITS.bulkVms} VMs at once.`)] : []),
  ]);
}

/** Ask a job to stop. Who may start it may end it: `needs` is the role that the job's own plan asks for. */
export function canCancelJob(job: {
  role: ActorRole;
  needs: ActorRole;
  isOver: boolean;
  isCancelling: boolean;
}): Eligibility {
  return eligibility([
    ...role(job.role, job.needs),
    ...(job.isOver ? [reason("job-ended", "The job has ended.")] : []),
    ...(!job.isOver && job.isCancelling ? [reason("job-ended", "It was asked to stop already.")] : []),
  ]);
}

/** Restore a backup to a temporary file and compare. */
export function canVerifyBackup(backup: { role: ActorRole; isFinished: boolean }): Eligibility {
  return eligibility([
    ...role(backup.role, "support"),
    ...(backup.isFinished
      ? []
      : [reason("backup-not-finished", "Only a backup that finished can be restored, and so be verified.")]),
  ]);
}

/** Pair, change and retire hosts. */
export function canManageHosts(vm: Pick<VmSituation, "role">): Eligibility {
  return eligibility(role(vm.role, "admin"));
}

function eligibility(reasons: Reason[]): Eligibility {
  return reasons.length === 0 ? { ok: true } : { ok: false, reasons };
}

function reason(code: ReasonCode, text: string): Reason {
  return { code, text };
}

function role(has: ActorRole, needed: ActorRole): Reason[] {
  return hasRole(has, needed) ? [] : [reason("role", NEEDS[needed])];
}

function reachable(vm: VmSituation): Reason[] {
  if (vm.hostId === null) return [reason("no-host", "It is not known on which host this VM is.")];
  return vm.hostOnline ? [] : [reason("host-offline", "The host's agent does not answer.")];
}

function known(vm: VmSituation): Reason[] {
  return vm.power === "absent" ? [reason("vm-absent", "The host does not know this VM at the moment.")] : [];
}

function observedOnce(vm: VmSituation): Reason[] {
  return vm.observed ? [] : [reason("not-observed", "The host has not been read completely yet.")];
}

function has(vm: VmSituation, kind: Finding["kind"]): boolean {
  return vm.findings.some((finding) => finding.kind === kind);
}

function oneHost(vm: VmSituation): Reason[] {
  return has(vm, "vm.two-hosts") ? [reason("two-hosts", "The VM is active on two hosts. Nothing may be changed.")] : [];
}

function idle(vm: VmSituation): Reason[] {
  return vm.jobRunning ? [reason("job-running", "Another job holds this VM.")] : [];
}

function backupState(vm: VmSituation): Reason[] {
  const reasons = [...reachable(vm), ...known(vm), ...observedOnce(vm), ...oneHost(vm), ...idle(vm)];
  if (vm.power === "shut-off")
    reasons.push(reason("vm-not-running", "libvirt backs up running VMs only. Start it first."));
  if (has(vm, "disk.unreadable")) reasons.push(reason("disk-unreadable", "QEMU cannot open one of the images."));
  return reasons;
}
