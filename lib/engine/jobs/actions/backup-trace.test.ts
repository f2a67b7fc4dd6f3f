import { expect, test } from "vitest";
import { healthyLine } from "#chain/testing/healthy.ts";
import { findTrace } from "./backup-trace.ts";

const COVERED = ["vda", "vdb"];
const read = () => healthyLine(2, COVERED).observation;
const locked = { code: "image-locked" as const, message: "in use", hostMessage: null, retryable: true };
const unreadable = { code: "unreadable" as const, message: "broken", hostMessage: null, retryable: false };

test("a checkpoint is traced in libvirt's list and on every disk that holds its bitmap", () => {
  expect(findTrace(read(), "cp1", COVERED)).toEqual({ isListed: true, disks: COVERED, unread: null });
  expect(findTrace(read(), "other", COVERED)).toEqual({ isListed: false, disks: [], unread: null });
});

test("a disk that was not read is unknown and not without the bitmap, unless the checkpoint has nothing on it", () => {
  const seen = read();
  for (const disk of seen.disks) if (disk.target === "vdb") disk.layers = { ok: false, error: locked };
  expect(findTrace(seen, "other", COVERED)).toEqual({ isListed: false, disks: [], unread: locked });
  expect(findTrace(seen, "other", ["vda"]).unread).toBeNull();
});

test("a list that was not read, and a VM that its host does not know, are unknown", () => {
  const unlisted = { ...read(), checkpoints: { ok: false as const, error: locked } };
  expect(findTrace(unlisted, "cp1", COVERED)).toMatchObject({ isListed: false, unread: locked });
  expect(findTrace({ ...read(), power: "absent" }, "cp1", COVERED).unread).toMatchObject({ retryable: true });
});

test("of two reasons the one that may pass by itself counts; where QEMU must not be asked libvirt's list says it", () => {
  const seen = read();
  const [a, b] = seen.disks;
  if (!a || !b) throw new Error("no disks");
  a.layers = { ok: false, error: unreadable };
  expect(findTrace(seen, "other", COVERED).unread).toEqual(unreadable);
  b.layers = { ok: false, error: locked };
  expect(findTrace(seen, "other", COVERED).unread).toEqual(locked);
  for (const disk of seen.disks) disk.layers = { ok: false, error: { ...unreadable, code: "qmp-forbidden" } };
  expect(findTrace(seen, "other", COVERED).unread).toBeNull();
});
