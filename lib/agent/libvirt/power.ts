import type { Power } from "#chain/model.ts";

/**
 * virDomainState. Not every word of it says whether there is a QEMU: a guest that crashed under `on_crash=preserve` stands
 * still in a QEMU that lives and holds its images (a QEMU that died is shut off, for the reason "crashed").
 */
const POWER: Record<number, Power> = {
  1: "running",
  /** Blocked. */
  2: "running",
  3: "paused",
  /** Shutting down. */
  4: "running",
  5: "shut-off",
  /** Crashed. */
  6: "paused",
  /** Suspended by the guest. */
  7: "paused",
};

export const powerOf = (state: number): Power => POWER[state] ?? "unknown";

/** There is a process: only QMP tells the truth about bitmaps. */
export const isActive = (power: Power): boolean => power === "running" || power === "paused";
