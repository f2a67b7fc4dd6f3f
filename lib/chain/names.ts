/** Checks of names and of a list of checkpoints as another program hands it in. Every offence is listed. */
import { CHECKPOINT_NAME, DISK_TARGET, LIMITS } from "./limits.ts";
import { orderCheckpoints } from "./order.ts";

export type NameReason = "empty" | "too-long" | "leading-dot" | "illegal-character";
export type Checked<R extends string> = { ok: true } | { ok: false; reasons: { code: R; message: string }[] };

/** A checkpoint's name, which is the name of its bitmaps as well: what libvirt and QEMU both take. */
export function checkCheckpointName(name: string): Checked<NameReason> {
  const reasons: { code: NameReason; message: string }[] = [];
  const add = (code: NameReason, message: string) => reasons.push({ code, message });
  if (name === "") add("empty", "A checkpoint needs a name.");
  if (name.length > LIMITS.checkpointNameLength) {
    add(
      "too-long",
      `A checkpoint's name has at most ${LIMITS.checkpointNameLength} characters; this one has ${name.length}.`,
    );
  }
  if (name.startsWith(".")) add("leading-dot", "A checkpoint's name does not begin with a dot.");
  if (name !== "" && !CHECKPOINT_NAME.test(name.replace(/^\.+/, "") || "x")) {
    add("illegal-character", "A checkpoint's name has only letters, digits, '_', '-' and '.'.");
  }
  return reasons.length === 0 ? { ok: true } : { ok: false, reasons };
}

/** A disk's target as libvirt names it, for instance vda. */
export function checkDiskTarget(target: string): Checked<"illegal-target"> {
  if (DISK_TARGET.test(target)) return { ok: true };
  const message = `"${target.slice(0, 40)}" is not a disk's target as libvirt names it, for instance vda.`;
  return { ok: false, reasons: [{ code: "illegal-target", message }] };
}

export type RecordInputItem = { id: string; parentId: string | null; disks: { target: string }[]; createdAt?: string };

export type RecordInputCode =
  | NameReason
  | "illegal-target"
  | "too-many"
  | "duplicate"
  | "missing-parent"
  | "cycle"
  | "unsorted"
  | "no-disks"
  | "duplicate-disk"
  | "unknown-disk"
  | "illegal-time";
/** `field` is a path such as `checkpoints[3].id`. */
export type RecordInputOffence = { field: string; code: RecordInputCode; reason: string };

/**
 * Every offence of a list that claims to be a complete set of checkpoints, parents first. An empty answer means that
 * it may be used. `targets`: the disks of the domain, when they are known.
 */
export function checkRecordInput(
  list: readonly RecordInputItem[],
  options: { targets?: readonly string[] } = {},
): RecordInputOffence[] {
  if (list.length > LIMITS.checkpointsPerVm) {
    const reason = `At most ${LIMITS.checkpointsPerVm} checkpoints; these are ${list.length}.`;
    return [{ field: "checkpoints", code: "too-many", reason }];
  }
  const offences: RecordInputOffence[] = [];
  const targets = options.targets && new Set(options.targets);
  list.forEach((item, index) => {
    offences.push(...itemOffences(item, `checkpoints[${index}]`, targets));
  });
  return [...offences, ...treeOffences(list)];
}

function itemOffences(item: RecordInputItem, at: string, targets: Set<string> | undefined): RecordInputOffence[] {
  const offences: RecordInputOffence[] = [];
  const add = (field: string, code: RecordInputCode, reason: string) => offences.push({ field, code, reason });
  const name = checkCheckpointName(item.id);
  if (!name.ok) for (const { code, message } of name.reasons) add(`${at}.id`, code, message);
  if (item.parentId !== null) {
    const parent = checkCheckpointName(item.parentId);
    if (!parent.ok) for (const { code, message } of parent.reasons) add(`${at}.parentId`, code, message);
  }
  if (item.createdAt !== undefined && Number.isNaN(Date.parse(item.createdAt))) {
    add(`${at}.createdAt`, "illegal-time", "The creation time is not an ISO 8601 time.");
  }
  // A definition without disks makes libvirt validate nothing, and its deletion orphans the bitmaps.
  if (item.disks.length === 0) add(`${at}.disks`, "no-disks", "A checkpoint names the disks that it covers.");
  if (item.disks.length > LIMITS.disksPerVm) {
    add(`${at}.disks`, "too-many", `At most ${LIMITS.disksPerVm} disks; these are ${item.disks.length}.`);
  }
  const seen = new Set<string>();
  item.disks.forEach(({ target }, index) => {
    const field = `${at}.disks[${index}].target`;
    const checked = checkDiskTarget(target);
    if (!checked.ok) for (const { code, message } of checked.reasons) add(field, code, message);
    else if (targets && !targets.has(target)) add(field, "unknown-disk", `The VM has no writable disk ${target}.`);
    if (seen.has(target)) add(field, "duplicate-disk", `${target} is named twice.`);
    seen.add(target);
  });
  return offences;
}

function treeOffences(list: readonly RecordInputItem[]): RecordInputOffence[] {
  const offences: RecordInputOffence[] = [];
  const firstAt = new Map<string, number>();
  const inCycle = new Map<string, string[]>();
  const order = orderCheckpoints(list.map((item) => ({ ...item, createdAt: item.createdAt ?? "" })));
  if (!order.ok) {
    for (const offence of order.offences) {
      if (offence.kind === "cycle") for (const id of offence.ids) inCycle.set(id, offence.ids);
    }
  }
  list.forEach(({ id }, index) => {
    const first = firstAt.get(id);
    const reason = `"${id}" is already there as checkpoints[${first}].`;
    if (first === undefined) firstAt.set(id, index);
    else offences.push({ field: `checkpoints[${index}].id`, code: "duplicate", reason });
  });
  list.forEach(({ id, parentId }, index) => {
    if (parentId === null) return;
    const field = `checkpoints[${index}].parentId`;
    const parentAt = firstAt.get(parentId);
    const cycle = inCycle.get(id);
    if (cycle) {
      const shown = cycle.slice(0, 5).join(" → ") + (cycle.length > 5 ? " → …" : "");
      offences.push({ field, code: "cycle", reason: `"${id}" is its own ancestor (${shown}).` });
    } else if (parentAt === undefined) {
      offences.push({ field, code: "missing-parent", reason: `The parent "${parentId}" is not in the list.` });
    } else if (parentAt > index) {
      const reason = `The parent "${parentId}" comes later; libvirt needs parents first.`;
      offences.push({ field, code: "unsorted", reason });
    }
  });
  return offences;
}
