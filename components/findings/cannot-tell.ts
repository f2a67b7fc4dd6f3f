import type { Chain } from "#contract/engine-vms.ts";

/**
 * Why no finding, or no further one, does not mean that nothing is wrong; null when it does. Only a VM that is read
 * completely and compared now may show its empty list as good news. `past`: what is shown says nothing about now.
 */
export function whyCannotTell({ agreement, findings, host }: Chain, past: boolean): string | null {
  const isEmpty = findings.length === 0;
  if (past) {
    return isEmpty
      ? "None was known at the last read. Whether there are any now cannot be told."
      : "These are the last known findings. Whether they still hold, and whether there are others, cannot be told.";
  }
  const isUnread = host.checkpoints === null || host.disks.some(({ bitmaps }) => bitmaps === null);
  if (agreement === "unknown" || isUnread) return "Not everything could be read, so there may be more to find.";
  if (agreement === "checking" && isEmpty) {
    return "None was known at the last read. A job of this VM is not over; what it changes is not compared yet.";
  }
  return null;
}
