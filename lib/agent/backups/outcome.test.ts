import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BackupNote } from "./note.ts";
import { type EndedJob, judge, type Sight, type Witness } from "./outcome.ts";

const T0 = 1_700_000_000_000;
const note: BackupNote = {
  version: 1,
  uri: "test:///",
  vmId: "v",
  runtimeId: "run-1",
  checkpointId: "cp",
  disks: [{ target: "vda", mode: "full", path: "/r/a", real: "/r/a" }],
  askedAt: T0,
  isBegun: true,
  seenAt: T0 + 1_000,
  totalBytes: null,
  abortedAt: null,
  strandedAt: null,
  end: null,
};
const good: EndedJob = {
  isBackup: true,
  elapsedMs: 5_000,
  type: 3,
  success: true,
  errorMessage: null,
  doneBytes: 10,
};
const cancelled: EndedJob = { ...good, type: 5, errorMessage: "Operation canceled" };
const sight: Sight = {
  since: T0 + 59_990,
  at: T0 + 60_000,
  isFree: true,
  isOurs: false,
  runtimeId: "run-1",
  completed: null,
  hasCheckpoint: true,
  isHeld: false,
};
const unwatched: Witness = { heard: null, isWatched: false };

describe("what became of a backup job", () => {
  it("is running while libvirt shows a job that writes into its files, whatever else was heard", () => {
    expect(judge(note, { ...sight, isOurs: true, completed: good }, { heard: good, isWatched: true })).toEqual({
      state: "running",
    });
  });

  it("is what was heard as it ended", () => {
    expect(judge(note, sight, { heard: good, isWatched: true })).toMatchObject({ state: "finished", doneBytes: 10 });
    const noSpace = { ...good, success: false, errorMessage: "No space left on device" };
    expect(judge(note, sight, { heard: noSpace, isWatched: true })).toMatchObject({
      state: "failed",
      error: { code: "no-space", hostMessage: "No space left on device" },
    });
  });

  it("is failed when libvirt waited for block jobs that were gone and was made to let go; unless it had ended by then", () => {
    const left = { ...note, strandedAt: T0 + 50_000 };
    const failed = { state: "failed", error: { code: "internal", retryable: true } };
    expect(judge(left, sight, { heard: cancelled, isWatched: true })).toMatchObject(failed);
    expect(judge(left, sight, unwatched)).toMatchObject(failed);
    expect(judge(left, sight, { heard: good, isWatched: true })).toMatchObject({ state: "finished" });
    const asked = { ...left, abortedAt: T0 + 51_000 };
    expect(judge(asked, sight, { heard: cancelled, isWatched: true })).toMatchObject({ state: "aborted" });
  });

  it("is never finished before the QEMU that wrote its files has closed them, whatever libvirt says", () => {
    const seen = { ...note, seenAt: sight.at - 2_000 };
    const known = { ...sight, completed: { ...good, elapsedMs: 10_000 } };
    for (const witness of [{ heard: good, isWatched: true }, unwatched]) {
      expect(judge(seen, known, witness).state).toBe("finished");
      expect(judge(seen, { ...known, isHeld: true }, witness).state).toBe("waiting");
      for (const runtimeId of ["run-2", null])
        for (const isHeld of [true, false])
          expect(judge(seen, { ...known, runtimeId, isHeld }, witness)).toMatchObject({
            state: "failed",
            error: { code: "domain-changed" },
          });
    }
    const old = { ...note, seenAt: sight.at - 31_000 };
    expect(judge(old, { ...sight, isHeld: true }, { heard: good, isWatched: true }).state).toBe("ended-unseen");
  });

  it("is aborted when we aborted it and nobody heard its end; a foreign end is not taken for ours", () => {
    const ours = { ...note, abortedAt: T0 + 2_000 };
    expect(judge(ours, sight, unwatched)).toMatchObject({ state: "aborted", error: null });
    expect(judge(note, sight, unwatched)).toMatchObject({ state: "ended-unseen" });
  });

  it("is never finished with an error message, a failure or another type, although libvirt says success", () => {
    const ended = fc.record({
      isBackup: fc.constant(true),
      elapsedMs: fc.constant(5_000),
      type: fc.constantFrom(null, 3, 4, 5),
      success: fc.constantFrom(null, true, false),
      errorMessage: fc.constantFrom(null, "Operation canceled", "Input/output error"),
      doneBytes: fc.constant(0),
    });
    fc.assert(
      fc.property(ended, (heard) => {
        const isBad = heard.errorMessage !== null || heard.success === false || heard.type === 4 || heard.type === 5;
        const { state } = judge(note, sight, { heard, isWatched: true });
        expect(state === "finished").toBe(!isBad);
      }),
    );
  });

  it("without being heard is finished only if the kept statistics are of a job that was there when ours was seen", () => {
    fc.assert(
      fc.property(fc.nat(200_000), fc.nat(200_000), (elapsedMs, sinceSeen) => {
        const at = note.seenAt + sinceSeen;
        const { state } = judge(note, { ...sight, at, completed: { ...good, elapsedMs } }, unwatched);
        // A job that began after ours was last seen may be anybody's.
        const mayBeAnother = elapsedMs <= sinceSeen + 100;
        expect(state).toBe(mayBeAnother ? "ended-unseen" : "finished");
      }),
    );
  });

  it("is not told from the statistics of another kind of job", () => {
    const completed = { ...good, isBackup: false, elapsedMs: 10_000_000 };
    expect(judge(note, { ...sight, completed }, unwatched).state).toBe("ended-unseen");
  });

  it("is aborted when somebody cancelled it, failed when the VM stopped under it", () => {
    const heard = { heard: cancelled, isWatched: true };
    expect(judge({ ...note, abortedAt: T0 }, sight, heard)).toMatchObject({ state: "aborted", error: null });
    expect(judge(note, sight, heard)).toMatchObject({ state: "aborted", error: { code: "internal" } });
    expect(judge(note, { ...sight, runtimeId: null }, heard)).toMatchObject({
      state: "failed",
      error: { code: "domain-changed" },
    });
  });

  it("is failed when the VM stopped while it was watched, and unknown when nobody watched", () => {
    const stopped = { ...sight, runtimeId: null };
    expect(judge(note, stopped, { heard: null, isWatched: true }).state).toBe("failed");
    expect(judge(note, stopped, unwatched).state).toBe("ended-unseen");
  });

  it("may yet begin for 5 s after it was asked for when nothing holds the domain, counted to the begin of the look", () => {
    const asked = { ...note, isBegun: false, seenAt: T0 };
    const look = (sinceMs: number, atMs: number) => ({
      ...sight,
      since: T0 + sinceMs,
      at: T0 + atMs,
      hasCheckpoint: false,
    });
    expect(judge(asked, look(4_900, 4_990), unwatched).state).toBe("waiting");
    expect(judge(asked, look(4_900, 9_000), unwatched).state).toBe("waiting");
    expect(judge(asked, look(5_100, 5_200), unwatched).state).toBe("ended-unseen");
    expect(judge(asked, { ...look(5_100, 5_200), isFree: false }, unwatched).state).toBe("waiting");
  });

  it("may yet begin for 45 s while a job holds the domain, unless its checkpoint says that it did", () => {
    const asked = { ...note, isBegun: false, seenAt: T0 };
    const early = { ...sight, since: T0 + 43_990, at: T0 + 44_000, isFree: false, hasCheckpoint: false };
    expect(judge(asked, early, unwatched).state).toBe("waiting");
    expect(judge(asked, { ...early, hasCheckpoint: true }, unwatched).state).toBe("ended-unseen");
    expect(judge(asked, { ...early, at: T0 + 46_000 }, unwatched).state).toBe("ended-unseen");
    expect(judge(asked, { ...early, runtimeId: "run-2" }, unwatched).state).toBe("ended-unseen");
  });
});
