import { describe, expect, it } from "vitest";
import { BLOCK_JOB_OUTCOMES, BLOCK_JOB_TYPES, type HostEvent } from "#contract/agent.ts";
import { movedBy } from "./moves.ts";

type DomainEvent = Extract<HostEvent, { type: "domain" }>;
const event = (more: Partial<DomainEvent>): DomainEvent => ({
  type: "domain",
  vmId: "00000000-0000-4000-8000-000000000001",
  name: "vm",
  event: "block-job-ended",
  detail: null,
  at: "2026-01-01T00:00:00Z",
  ...more,
});

describe("what proves that a disk moved with its bitmaps", () => {
  it("is a block job that moves the disk and was completed, for its own disk, and no other", () => {
    const proving = BLOCK_JOB_TYPES.flatMap((type) =>
      BLOCK_JOB_OUTCOMES.flatMap((outcome) => {
        const moved = movedBy(event({ blockJob: { disk: "vdb", type, outcome } }));
        return moved === null ? [] : [{ type, outcome, moved }];
      }),
    );
    const moved = { disk: "vdb" };
    expect(proving).toEqual([
      { type: "copy", outcome: "completed", moved },
      { type: "active-commit", outcome: "completed", moved },
    ]);
  });

  it("is a migration, for all disks", () => {
    expect(movedBy(event({ event: "migrated-in" }))).toBe("all");
  });

  it.each(["job-ended", "block-job-ended", "started", "resumed"] as const)("is not %s alone", (name) => {
    expect(movedBy(event({ event: name }))).toBeNull();
  });
});
