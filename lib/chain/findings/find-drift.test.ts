import { describe, expect, test } from "vitest";
import type { DriftInput, HostCheckpoint, LayerBitmap, ObserveErrorCode } from "../model.ts";
import { healthyBitmap, healthyInput, healthyLine, hour, imagePath, KIB, OTHER_HOST } from "../testing/healthy.ts";
import { agreementOf, nextBackup, summariseNextBackup } from "../verdict.ts";
import { findDrift } from "./index.ts";

const ids = (input: DriftInput) => findDrift(input).map(({ id, reason }) => (reason ? `${id} ${reason}` : id));

function host(input: DriftInput): HostCheckpoint[] {
  if (!input.observation.checkpoints.ok) throw new Error("the list is read");
  return input.observation.checkpoints.value;
}

function diskOf(input: DriftInput, target = "vda") {
  const disk = input.observation.disks.find((candidate) => candidate.target === target);
  if (!disk?.layers.ok || !disk.identity) throw new Error("the disk is read");
  const [top] = disk.layers.value;
  if (!top) throw new Error("it has a layer");
  return { disk, top, layers: disk.layers.value, identity: disk.identity };
}

function bitmap(input: DriftInput, name: string, target = "vda"): LayerBitmap {
  const found = diskOf(input, target).top.bitmaps.find((candidate) => candidate.name === name);
  if (!found) throw new Error("the bitmap is there");
  return found;
}

function failDisk(input: DriftInput, code: ObserveErrorCode, target = "vda") {
  diskOf(input, target).disk.layers = { ok: false, error: { code, message: "", hostMessage: null, retryable: true } };
}

describe("agreement", () => {
  test.each(["running", "paused", "shut-off"] as const)("says nothing of a %s VM whose witnesses agree", (power) => {
    const input = healthyInput({ parents: [null, 0, 1, 1, 3], targets: ["vda", "vdb"], power });
    expect(findDrift(input)).toEqual([]);
    expect(agreementOf({ observation: input.observation, findings: [] })).toBe("agrees");
  });

  test("says nothing of an absent VM, whatever is left of it, and its agreement is unknown", () => {
    const input = healthyLine(3, ["vda"], "absent");
    input.observation.checkpoints = { ok: true, value: [] };
    diskOf(input).top.bitmaps.push(healthyBitmap("stray", null));
    expect(findDrift(input)).toEqual([]);
    input.observation.disks = [];
    expect(findDrift(input)).toEqual([]);
    expect(agreementOf({ observation: input.observation, findings: [] })).toBe("unknown");
  });
});

describe("metadata", () => {
  test("after libvirt lost its list every checkpoint is metadata.missing and the next backup is blocked", () => {
    const input = healthyLine(3, ["vda", "vdb"]);
    input.observation.checkpoints = { ok: true, value: [] };
    expect(ids(input)).toEqual(["metadata.missing|cp0||", "metadata.missing|cp1||", "metadata.missing|cp2||"]);
    const verdicts = nextBackup({ ...input, findings: findDrift(input) });
    expect(verdicts.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ["blocked", "metadata-missing"],
      ["blocked", "metadata-missing"],
    ]);
    expect(summariseNextBackup(verdicts)).toBe("blocked");
  });

  test("what is broken on one disk and not listed offers the heal that defines it again, as no redefine would", () => {
    const input = healthyLine(2, ["vda", "vdb"]);
    input.observation.checkpoints = { ok: true, value: [] };
    const { top } = diskOf(input, "vdb");
    top.bitmaps = top.bitmaps.filter(({ name }) => name !== "cp0");
    const remedies = findDrift(input).map(({ id, remedies: offered }) => [id, offered]);
    expect(remedies).toEqual([
      ["metadata.missing|cp0||", ["heal"]],
      ["metadata.missing|cp1||", ["redefine"]],
      ["bitmap.missing|cp0|vdb|cp0", ["heal"]],
    ]);
  });

  test("where QMP is forbidden a lost list is still found, where the image is locked nothing is said", () => {
    const input = healthyLine(1);
    input.observation.checkpoints = { ok: true, value: [] };
    failDisk(input, "qmp-forbidden");
    expect(ids(input)).toEqual(["metadata.missing|cp0||"]);
    const locked = healthyLine(1, ["vda"], "shut-off");
    locked.observation.checkpoints = { ok: true, value: [] };
    failDisk(locked, "image-locked");
    expect(ids(locked)).toEqual([]);
  });

  test("a checkpoint whose every bitmap is broken is not called missing in libvirt too", () => {
    const input = healthyLine(1, ["vda", "vdb"]);
    input.observation.checkpoints = { ok: true, value: [] };
    bitmap(input, "cp0").inconsistent = true;
    bitmap(input, "cp0", "vdb").inconsistent = true;
    expect(ids(input)).toEqual([
      "bitmap.inconsistent|cp0|vda|cp0 inconsistent",
      "bitmap.inconsistent|cp0|vdb|cp0 inconsistent",
    ]);
    bitmap(input, "cp0", "vdb").inconsistent = false;
    expect(ids(input)).toContain("metadata.missing|cp0||");
  });

  test("children that moved up over a checkpoint that only one side knows do not differ", () => {
    const input = healthyLine(4);
    const list = host(input);
    for (const item of list) if (item.id === "cp2") item.parentId = "cp0";
    list.splice(1, 1);
    expect(ids(input)).toEqual(["metadata.missing|cp1||"]);
  });

  test("an unknown checkpoint names its likely owner and offers no removal while its disk is unread", () => {
    const input = healthyLine(1, ["vda", "vdb"]);
    const disks = [{ target: "vdb", bitmap: "virtnbdbackup.3" }];
    host(input).push({
      id: "virtnbdbackup.3",
      parentId: "cp0",
      createdAt: hour(3),
      current: true,
      hasDisksElement: true,
      disks,
    });
    expect(findDrift(input)).toMatchObject([
      { kind: "metadata.unknown", owner: "virtnbdbackup", remedies: ["adopt", "remove"] },
    ]);
    failDisk(input, "timeout", "vdb");
    expect(findDrift(input)).toMatchObject([{ kind: "metadata.unknown", remedies: ["adopt"] }]);
  });
});

describe("bitmaps", () => {
  test("after a kill the older bitmaps are inconsistent and the newest was never flushed", () => {
    for (const power of ["running", "shut-off"] as const) {
      const input = healthyLine(3, ["vda"], power);
      bitmap(input, "cp0").inconsistent = true;
      bitmap(input, "cp1").inconsistent = true;
      diskOf(input).top.bitmaps.pop();
      const how = power === "running" ? "inconsistent" : "in-use";
      expect(ids(input)).toEqual([
        "bitmap.missing|cp2|vda|cp2 never-flushed",
        `bitmap.inconsistent|cp0|vda|cp0 ${how}`,
        `bitmap.inconsistent|cp1|vda|cp1 ${how}`,
      ]);
    }
  });

  test("a bitmap older than one that was flushed before the crash was removed, not lost by it", () => {
    const input = healthyLine(3);
    bitmap(input, "cp0").inconsistent = true;
    bitmap(input, "cp2").inconsistent = true;
    diskOf(input).top.bitmaps.splice(1, 1);
    expect(ids(input)).toContain("bitmap.missing|cp1|vda|cp1 removed");
  });

  test("another disk's crash explains a bitmap that is alone on its disk, but not one with healthy elders", () => {
    const crash = (covers: (index: number, target: string) => boolean) => {
      const input = healthyInput({ parents: [null, 0], targets: ["vda", "vdb"], covers });
      bitmap(input, "cp0").inconsistent = true;
      diskOf(input, "vdb").top.bitmaps = diskOf(input, "vdb").top.bitmaps.filter(({ name }) => name !== "cp1");
      return ids(input).find((id) => id.startsWith("bitmap.missing|cp1|vdb"));
    };
    expect(crash((index, target) => target === "vda" || index === 1)).toMatch(/never-flushed$/);
    expect(crash(() => true)).toMatch(/removed$/);
  });

  test("an older missing bitmap beside healthy ones was removed", () => {
    const input = healthyLine(3);
    diskOf(input).top.bitmaps.splice(1, 1);
    expect(ids(input)).toEqual(["bitmap.missing|cp1|vda|cp1 removed"]);
  });

  test("a leftover on a disk that its checkpoint does not cover is unknown", () => {
    const input = healthyInput({ parents: [null], targets: ["vda", "vdb"], covers: (_, target) => target === "vda" });
    input.record.disks = input.record.disks.map((disk) => ({ ...disk, firstSeenAt: hour(-5) }));
    expect(ids(input)).toEqual([]);
    const both = healthyLine(1, ["vda", "vdb"]);
    for (const item of [...both.record.checkpoints, ...host(both)]) item.disks.length = 1;
    expect(ids(both)).toEqual(["bitmap.unknown||vdb|cp0"]);
    const later = healthyLine(2, ["vda", "vdb"]);
    for (const item of [later.record.checkpoints[0], host(later)[0]]) {
      if (item) item.disks.length = 1;
    }
    expect(ids(later)).toEqual(["bitmap.unknown||vdb|cp0"]);
  });

  test("a disk that came back under another target brings its bitmaps along", () => {
    const input = healthyLine(2, ["vda", "vdb"]);
    for (const disk of input.observation.disks) if (disk.target === "vdb") disk.target = "vdc";
    expect(ids(input)).toEqual(["disk.added||vdc|", "disk.gone||vdb|"]);
  });

  test("while libvirt's list is unknown no bitmap is called unknown", () => {
    const input = healthyLine(1);
    diskOf(input).top.bitmaps.push(healthyBitmap("stray", 0));
    expect(ids(input)).toEqual(["bitmap.unknown||vda|stray"]);
    const error = { code: "timeout", message: "", hostMessage: null, retryable: true } as const;
    input.observation.checkpoints = { ok: false, error };
    expect(ids(input)).toEqual([]);
  });

  test("a name with any character keeps ids apart", () => {
    const input = healthyLine(1);
    diskOf(input).top.bitmaps.push(healthyBitmap("a|b", 0), healthyBitmap("a%7Cb", 0));
    expect(ids(input)).toEqual(["bitmap.unknown||vda|a%257Cb", "bitmap.unknown||vda|a%7Cb"]);
  });

  test("what the image file says of a running VM is no evidence", () => {
    const input = healthyLine(2);
    input.observation.source = "image";
    for (const item of diskOf(input).top.bitmaps) item.inconsistent = true;
    expect(ids(input)).toEqual([]);
    expect(agreementOf({ observation: input.observation, findings: [] })).toBe("unknown");
  });

  test("during a backup busy and internal bitmaps are no findings", () => {
    const input = healthyLine(2);
    input.observation.job = {
      ok: true,
      value: { operation: "backup", elapsedMs: 60_000, doneBytes: 1, totalBytes: 2 },
    };
    bitmap(input, "cp0").busy = true;
    const internal = { ...healthyBitmap("", 0), persistent: false };
    diskOf(input).top.bitmaps.push(internal, { ...internal, name: "backup-vda" });
    expect(ids(input)).toEqual([]);
  });
});

describe("rewinds", () => {
  const sample = (bitmapName: string, dirtyBytes: number, granularity = 64 * KIB) => ({
    target: "vda",
    bitmap: bitmapName,
    layerPath: imagePath("vda"),
    dirtyBytes,
    granularity,
    at: hour(1),
    runtimeId: "run-0",
  });

  test("an older image put back rewinds every bitmap that it has and lacks the newer ones", () => {
    const input = healthyLine(3);
    input.samples = ["cp0", "cp1", "cp2"].map((name) => sample(name, 1000 * 64 * KIB));
    diskOf(input).top.bitmaps.pop();
    expect(ids(input)).toEqual([
      "bitmap.rewound|cp0|vda|cp0 count-fell",
      "bitmap.rewound|cp1|vda|cp1 count-fell",
      "bitmap.missing|cp2|vda|cp2 removed",
    ]);
  });

  test("an ancestor below its descendant is rewound without any sample, across a fork too", () => {
    const input = healthyInput({ parents: [null, 0, 1, 0], targets: ["vda"] });
    bitmap(input, "cp0").dirtyBytes = 64 * KIB;
    expect(ids(input)).toEqual(["bitmap.rewound|cp0|vda|cp0 below-descendant"]);
  });

  test("every ancestor below a later checkpoint is named, not only the nearest", () => {
    const input = healthyLine(3);
    [2, 1, 3].forEach((blocks, index) => {
      bitmap(input, `cp${index}`).dirtyBytes = blocks * 64 * KIB;
    });
    expect(ids(input)).toEqual([
      "bitmap.rewound|cp0|vda|cp0 below-descendant",
      "bitmap.rewound|cp1|vda|cp1 below-descendant",
    ]);
  });

  test("counts that cannot be compared are not: other granularity, other layer, cold, busy, equal", () => {
    const cold = healthyLine(1, ["vda"], "shut-off");
    cold.samples = [sample("cp0", 1000 * 64 * KIB)];
    expect(ids(cold)).toEqual([]);
    const input = healthyLine(2);
    input.samples = [
      sample("cp0", 1000 * 64 * KIB, 128 * KIB),
      { ...sample("cp0", 1e9), layerPath: "/other" },
      sample("cp1", 64 * KIB),
    ];
    expect(ids(input)).toEqual([]);
    bitmap(input, "cp0").busy = true;
    bitmap(input, "cp0").dirtyBytes = 0;
    expect(ids(input)).toEqual([]);
  });
});

describe("disks", () => {
  test("another host compares path, inode and size, never the device", () => {
    const input = healthyLine(1);
    input.hostId = OTHER_HOST;
    diskOf(input).identity.device = "0:45";
    expect(ids(input)).toEqual([]);
    diskOf(input).identity.inode = "7";
    expect(ids(input)).toEqual(["disk.replaced||vda| inode"]);
  });

  test("a snapshot, a proven move and a resize are no replacement", () => {
    const snapshot = healthyLine(1);
    const { layers, top, identity, disk } = diskOf(snapshot);
    layers.push({ ...top, depth: 1, bitmaps: [...top.bitmaps] });
    top.path = "/snap.qcow2";
    disk.identity = { ...identity, path: "/snap.qcow2", inode: "8" };
    expect(ids(snapshot)).toEqual([]);

    const moved = healthyLine(1);
    Object.assign(diskOf(moved).identity, { path: "/new.qcow2", inode: "9" });
    moved.provenMoves = ["vda"];
    expect(ids(moved)).toEqual([]);

    const grown = healthyLine(1);
    diskOf(grown).identity.size = 1;
    expect(ids(grown)).toEqual([]);
    diskOf(grown).identity.inode = null;
    expect(ids(grown)).toEqual(["disk.replaced||vda| size"]);
    diskOf(grown).identity.size = 1e15;
    expect(ids(grown)).toEqual([]);
  });

  test("a replaced image silences its bitmaps until somebody accepts it", () => {
    const input = healthyLine(2);
    diskOf(input).identity.inode = "9";
    diskOf(input).top.bitmaps = [];
    expect(ids(input)).toEqual(["disk.replaced||vda| inode"]);
    expect(nextBackup({ ...input, findings: findDrift(input) })).toMatchObject([
      { verdict: "full", reason: "replaced" },
    ]);
    input.record.acknowledged = ["disk.replaced||vda|"];
    expect(ids(input)).toEqual([
      "disk.replaced||vda| inode",
      "bitmap.missing|cp0|vda|cp0 removed",
      "bitmap.missing|cp1|vda|cp1 removed",
    ]);
  });

  test("where QMP is forbidden a swapped file is found without offering to heal what was not read", () => {
    const input = healthyLine(1);
    diskOf(input).identity.inode = "9";
    failDisk(input, "qmp-forbidden");
    expect(findDrift(input)).toMatchObject([{ kind: "disk.replaced", remedies: ["acknowledge", "full-backup"] }]);
  });

  test("a disk that was there before the newest checkpoint, or when the VM was first seen, was left out on purpose", () => {
    const input = healthyInput({ parents: [null], targets: ["vda", "vdb"], covers: (_, target) => target === "vda" });
    expect(ids(input)).toEqual([]);
    // A chain that was registered for a VM seen later than it: nobody knows since when its disks were there.
    for (const disk of input.record.disks) disk.firstSeenAt = hour(5);
    expect(ids(input)).toEqual([]);
    for (const disk of input.record.disks) if (disk.target === "vdb") disk.firstSeenAt = hour(6);
    expect(ids(input)).toEqual(["disk.added||vdb|"]);
    input.record.checkpoints = [];
    input.observation.checkpoints = { ok: true, value: [] };
    for (const { layers } of input.observation.disks)
      if (layers.ok) for (const layer of layers.value) layer.bitmaps = [];
    expect(ids(input)).toEqual([]);
  });

  test("a retired disk is not missed", () => {
    const input = healthyLine(1, ["vda", "vdb"]);
    input.observation.disks.pop();
    expect(ids(input)).toEqual(["disk.gone||vdb|"]);
    for (const disk of input.record.disks) if (disk.target === "vdb") disk.retiredAt = hour(4);
    expect(ids(input)).toEqual([]);
  });

  test.each(["image-locked", "permission-denied", "timeout", "image-missing"] as const)(
    "a cold image that gives %s leaves no finding on its disk",
    (code) => {
      const input = healthyLine(2, ["vda"], "shut-off");
      diskOf(input).identity.path = "/other";
      failDisk(input, code);
      expect(ids(input)).toEqual([]);
    },
  );
});

describe("jobs", () => {
  test("what a job of ours is changing is in flight, the rest is not", () => {
    const input = healthyLine(3);
    input.observation.checkpoints = { ok: true, value: [] };
    input.inFlight = [{ kind: "redefine", startedAt: hour(4), checkpointIds: ["cp0", "cp1"], disks: [] }];
    expect(ids(input)).toEqual(["metadata.missing|cp2||"]);
  });

  test("only a backup that holds the VM for too long can be aborted: any other job is ended by whoever began it", () => {
    const input = healthyLine(2);
    const held = (operation: "backup" | "migration" | "snapshot" | "other") => {
      const job = { operation, elapsedMs: input.jobLimitMs + 1, doneBytes: null, totalBytes: null };
      input.observation.job = { ok: true, value: job };
      return findDrift(input).map(({ kind, reason, remedies }) => ({ kind, reason, remedies }));
    };
    expect(held("backup")).toEqual([{ kind: "backup.stuck", reason: "too-long", remedies: ["abort"] }]);
    for (const operation of ["migration", "snapshot", "other"] as const)
      expect(held(operation)).toEqual([{ kind: "backup.stuck", reason: "other-job", remedies: [] }]);
    input.runningBackup = { checkpointId: "cp1", startedAt: hour(0) };
    expect(held("snapshot")).toEqual([{ kind: "backup.stuck", reason: "other-job", remedies: [] }]);
  });

  test("a checkpoint being created is unfinished only when no job works on it", () => {
    const input = healthyLine(2);
    const newest = input.record.checkpoints[1];
    if (newest) Object.assign(newest, { state: "creating", backup: "running" });
    input.runningBackup = { checkpointId: "cp1", startedAt: hour(2) };
    input.observation.job = { ok: true, value: { operation: "backup", elapsedMs: 1, doneBytes: 0, totalBytes: 1 } };
    expect(ids(input)).toEqual([]);
    input.observation.job = { ok: true, value: { operation: "none", elapsedMs: 0, doneBytes: null, totalBytes: null } };
    expect(ids(input)).toEqual(["backup.stuck|cp1|| no-such-job"]);
    input.runningBackup = null;
    expect(ids(input)).toEqual(["checkpoint.unfinished|cp1|| creating"]);
    input.inFlight = [{ kind: "backup", startedAt: hour(2), checkpointIds: ["cp1"], disks: ["vda"] }];
    expect(ids(input)).toEqual([]);
  });

  test("a backup that began after the read was made is not stuck", () => {
    const input = healthyLine(1);
    input.runningBackup = { checkpointId: "cp9", startedAt: hour(999) };
    expect(ids(input)).toEqual([]);
  });

  test("a job that failed to be read is not called missing", () => {
    const input = healthyLine(1);
    input.runningBackup = { checkpointId: "cp0", startedAt: hour(1) };
    const error = { code: "lock-held", message: "", hostMessage: null, retryable: true } as const;
    input.observation.job = { ok: false, error };
    expect(ids(input)).toEqual([]);
  });

  test("a VM that runs on another host is judged there", () => {
    const input = healthyLine(2, ["vda"], "shut-off");
    input.observation.checkpoints = { ok: true, value: [] };
    for (const item of diskOf(input).top.bitmaps) item.inconsistent = true;
    input.activeElsewhere = [{ hostId: OTHER_HOST, hostName: "beta", observedAt: hour(9) }];
    expect(ids(input)).toEqual([]);
    const { observation, activeElsewhere } = input;
    expect(agreementOf({ observation, findings: [], activeElsewhere })).toBe("unknown");
  });
});

test("what only redefining would mend is not offered where no disk that a definition could name is attached", () => {
  const input = healthyLine(2, ["vda", "vdb"]);
  const [oldest] = input.record.checkpoints;
  const listed = input.observation.checkpoints.ok ? input.observation.checkpoints.value : [];
  if (!oldest || !listed[0]) throw new Error("no checkpoint");
  oldest.disks = oldest.disks.filter(({ target }) => target === "vdb");
  Object.assign(listed[0], { hasDisksElement: false, disks: [] });
  const offered = () =>
    findDrift(input)
      .filter(({ kind }) => kind === "metadata.disks-differ")
      .map(({ id, remedies }) => [id, remedies]);
  expect(offered()).toEqual([["metadata.disks-differ|cp0||", ["redefine"]]]);
  input.observation.disks = input.observation.disks.filter(({ target }) => target !== "vdb");
  expect(offered()).toEqual([["metadata.disks-differ|cp0||", []]]);
});
