/** What an event proves of the images of a VM that runs. */
import type { HostEvent } from "#contract/agent.ts";

type DomainEvent = Extract<HostEvent, { type: "domain" }>;

/** Block jobs that end with the VM on another image than before. All others leave the disk where it was. */
const MOVING = new Set(["copy", "active-commit"]);

/** The VM runs here no longer. What was seen to move in that run says nothing of the images that the next one finds. */
export function endsRun({ event }: DomainEvent): boolean {
  return event === "stopped" || event === "crashed" || event === "migrated-out";
}

/**
 * Disks that QEMU has just taken to another image together with their bitmaps: all by a migration, and one by a block
 * job that moves the disk and came to its end. One that failed or was cancelled has moved nothing.
 */
export function movedBy({ event, blockJob }: DomainEvent): "all" | { disk: string } | null {
  if (event === "migrated-in") return "all";
  const moved = blockJob?.outcome === "completed" && MOVING.has(blockJob.type);
  return moved ? { disk: blockJob.disk } : null;
}
