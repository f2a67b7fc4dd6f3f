/** Checks of names as another program hands them in. Every reason against one is listed. */
import { CHECKPOINT_NAME, LIMITS } from "./limits.ts";

/**
 * Name of the definition that lives for the time of one deletion of bitmaps on a running domain. Never shown to
 * anybody as a checkpoint; a second one replaces the first.
 */
export const TEMPORARY_CHECKPOINT = "driftline.temporary";

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

/** What no host takes of one definition, whatever stands beside it. */
export function checkDefinition({ id, createdAt }: { id: string; createdAt: string }) {
  const offences: { field: "id" | "createdAt"; reason: string }[] = [];
  if (id === TEMPORARY_CHECKPOINT) offences.push({ field: "id", reason: "this name is kept for the agent" });
  if (Date.parse(createdAt) < 0) offences.push({ field: "createdAt", reason: "libvirt knows no time before 1970" });
  return offences;
}
