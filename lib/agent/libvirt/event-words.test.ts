import { describe, expect, it } from "vitest";
import { blockJobEvent, lifecycleEvent } from "./event-words.ts";

describe("libvirt's events in words", () => {
  it.each([
    [2, 0, "started", "booted"],
    [2, 1, "migrated-in", "migrated"],
    [5, 0, "stopped", "shutdown"],
    [5, 1, "stopped", "destroyed"],
    [5, 2, "crashed", "crashed"],
    [5, 3, "migrated-out", "migrated"],
    [0, 2, "renamed", "renamed"],
    [1, 0, "undefined", "removed"],
    [3, 0, "suspended", "paused"],
    [4, 0, "resumed", "unpaused"],
    [6, 0, "other", "shutdown-finished"],
    [42, 7, "other", "lifecycle 42.7"],
    [5, 99, "stopped", "detail 99"],
  ])("lifecycle %i.%i is %s (%s)", (type, detail, event, word) => {
    expect(lifecycleEvent(type, detail)).toEqual({ event, detail: word });
  });

  it("tells the end of a block job, not that it became ready", () => {
    const copied = { disk: "vda", type: "copy", outcome: "completed" };
    const detail = "copy vda completed";
    expect(blockJobEvent("vda", 2, 0)).toEqual({ event: "block-job-ended", detail, blockJob: copied });
    expect(blockJobEvent("vda", 5, 2)?.blockJob).toEqual({ disk: "vda", type: "backup", outcome: "canceled" });
    expect(blockJobEvent("vda", 9, 0)?.blockJob).toEqual({ disk: "vda", type: "unknown", outcome: "completed" });
    expect(blockJobEvent("vda", 2, 3)).toBeNull();
  });
});
