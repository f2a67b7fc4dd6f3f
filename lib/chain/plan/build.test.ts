/** Single cases of plans that people rely on by name. */
import { describe, expect, test } from "vitest";
import { findDrift } from "../findings/index.ts";
import type { DriftInput } from "../model.ts";
import { healthyLine, OTHER_HOST } from "../testing/healthy.ts";
import { buildPlan } from "./build.ts";
import type { Plan, PlanInput, PlanRefusal, PlanRequest } from "./model.ts";
import { planInput } from "./testing/worlds.ts";

function ask(world: DriftInput, request: PlanRequest, more: Partial<PlanInput> = {}) {
  return buildPlan({ ...planInput(world, findDrift(world), request), ...more });
}

function planned(world: DriftInput, request: PlanRequest, more: Partial<PlanInput> = {}): Plan {
  const result = ask(world, request, more);
  if (!result.ok) throw new Error(result.refusals.map(({ reason }) => reason).join(" "));
  return result.plan;
}

function refused(world: DriftInput, request: PlanRequest, more: Partial<PlanInput> = {}): PlanRefusal[] {
  const result = ask(world, request, more);
  return result.ok ? [] : result.refusals;
}

const codes = (refusals: PlanRefusal[]) => refusals.map(({ code }) => code);

/** libvirt lost its list, and one bitmap is gone. */
function lostWithOneBad(): DriftInput {
  const world = healthyLine(100, ["vda", "vdb"]);
  world.observation.checkpoints = { ok: true, value: [] };
  drop(world, "vdb", "cp40");
  return world;
}

function drop(world: DriftInput, target: string, name: string): void {
  const layers = world.observation.disks.find((disk) => disk.target === target)?.layers;
  if (!layers?.ok) throw new Error("read");
  for (const layer of layers.value) layer.bitmaps = layer.bitmaps.filter((bitmap) => bitmap.name !== name);
}

const backup = (mode: "full" | "incremental" | "auto"): PlanRequest => ({
  intent: "backup",
  mode,
  disks: null,
  repository: null,
});

describe("a backup that libvirt lost", () => {
  const world = healthyLine(3);
  world.observation.job = {
    ok: true,
    value: { operation: "lost-backup", elapsedMs: 0, doneBytes: null, totalBytes: null },
  };

  test("keeps away the plan of a backup, which says what ends it, and of nothing else", () => {
    const [refusal] = refused(world, backup("auto"));
    expect(refusal?.code).toBe("job-running");
    expect(refusal?.reason).toContain("restart libvirt");
    expect(refused(world, { intent: "prune", rule: { ids: ["cp1"] } })).toEqual([]);
    expect(refused(world, { intent: "remove", checkpointIds: ["cp2"], bitmaps: [] })).toEqual([]);
  });

  test("is one finding, also of the backup that still counts as running: closing that would end nothing", () => {
    const running = { ...world, runningBackup: { checkpointId: "cp3", startedAt: "2020-01-01T00:00:00.000Z" } };
    const found = findDrift(running).filter(({ kind }) => kind === "backup.stuck");
    expect(found.map(({ reason, remedies }) => [reason, remedies])).toEqual([["lost-by-libvirt", []]]);
    expect(found[0]?.consequence).toContain("then start the VM");
  });
});

const hostCalls = ({ steps }: Pick<Plan, "steps">): string[] =>
  steps.filter(({ verb }) => verb.startsWith("host.")).map(({ call }) => call);

describe("redefine", () => {
  test("strict with one bad bitmap among 100 refuses and names checkpoint, disk and state", () => {
    const refusals = refused(lostWithOneBad(), { intent: "redefine", mode: "strict" });
    expect(refusals).toEqual([
      { field: null, code: "unhealthy", reason: "Checkpoint cp40 on vdb: its bitmap is missing." },
    ]);
  });

  test("salvage defines the other 99, links the child past the bad one, and says what is left out", () => {
    const plan = planned(lostWithOneBad(), { intent: "redefine", mode: "salvage" });
    expect(plan.counts.define).toBe(99);
    expect(plan.tier).toBe(1);
    expect(plan.steps.map(({ call }) => call)).toContain(
      "virDomainCheckpointCreateXML(REDEFINE) cp41: disks vda, vdb; parent cp39",
    );
    expect(plan.consequences.join(" ")).toContain("cp40 (vdb: its bitmap is missing)");
  });

  test("strict names the broken checkpoint of a failed backup where a child has to come below it; salvage puts it there", () => {
    const world = healthyLine(4);
    const failed = world.record.checkpoints[2];
    if (failed) failed.backup = "failed";
    drop(world, "vda", "cp2");
    const list = world.observation.checkpoints.ok ? world.observation.checkpoints.value : [];
    for (const item of list) if (item.id === "cp3") item.parentId = "cp0";
    expect(refused(world, { intent: "redefine", mode: "strict" })).toEqual([
      { field: null, code: "unhealthy", reason: "Checkpoint cp2 on vda: its bitmap is missing." },
    ]);
    const plan = planned(world, { intent: "redefine", mode: "salvage" });
    expect(plan.promises).toEqual(["metadata.parent-differs|cp3||"]);
    expect(hostCalls(plan)).toEqual(["virDomainCheckpointCreateXML(REDEFINE) cp3: disks vda; parent cp2"]);
  });

  test("strict is not kept away by a checkpoint of a disk that was retired and is gone", () => {
    const world = healthyLine(3, ["vda", "vdb"]);
    for (const row of world.record.checkpoints)
      row.disks = row.disks.filter(({ target }) => (row.id === "cp0") === (target === "vdb"));
    for (const disk of world.record.disks) if (disk.target === "vdb") disk.retiredAt = "2026-01-02T00:00:00.000Z";
    world.observation.disks = world.observation.disks.filter(({ target }) => target === "vda");
    world.observation.checkpoints = { ok: true, value: [] };
    const plan = planned(world, { intent: "redefine", mode: "strict" });
    expect(plan.counts.define).toBe(2);
  });

  test("is allowed where the host forbids QMP, and says that nothing was checked", () => {
    const world = healthyLine(3);
    world.observation.checkpoints = { ok: true, value: [] };
    const error = { code: "qmp-forbidden", message: "", hostMessage: null, retryable: false } as const;
    for (const disk of world.observation.disks) disk.layers = { ok: false, error };
    const plan = planned(world, { intent: "redefine", mode: "strict" });
    expect(plan.counts.define).toBe(3);
    expect(plan.consequences.join(" ")).toContain("forbids QMP");
    expect(hostCalls(plan)[0]).toMatch(/^virDomainCheckpointCreateXML\(REDEFINE \| REDEFINE_VALIDATE\) cp0: /);
  });
});

describe("heal", () => {
  const world = () => {
    const drifted = healthyLine(3, ["vda", "vdb"]);
    drop(drifted, "vda", "cp1");
    return drifted;
  };

  test("of a checkpoint that libvirt does not list and that is broken on one disk defines what is healthy of it", () => {
    const drifted = lostWithOneBad();
    for (const id of ["metadata.missing|cp40||", "bitmap.missing|cp40|vdb|cp40"]) {
      const offering = findDrift(drifted).find((finding) => finding.id === id);
      expect(offering?.remedies).toEqual(["heal"]);
    }
    const findings = ["metadata.missing|cp40||"];
    const plan = planned(drifted, { intent: "heal", mode: "salvage", findings });
    expect(plan.actions.map(({ verb }) => verb)).toEqual(["record.drop-disks", "host.redefine", "prove"]);
    expect(plan.promises).toEqual(expect.arrayContaining([...findings, "bitmap.missing|cp40|vdb|cp40"]));
    expect(plan.losses.flatMap(({ bases = [] }) => bases)).toEqual([]);
  });

  test("salvage keeps the other disk of the checkpoint, strict takes it whole and announces the healthy base", () => {
    const salvage = planned(world(), { intent: "heal", mode: "salvage", findings: null });
    expect(salvage.actions).toContainEqual({
      verb: "record.drop-disks",
      items: [{ checkpointId: "cp1", disk: "vda" }],
    });
    expect(salvage.losses.flatMap(({ bases = [] }) => bases)).toEqual([]);
    const strict = planned(world(), { intent: "heal", mode: "strict", findings: null });
    expect(strict.actions[0]).toEqual({ verb: "record.mark-deleting", ids: ["cp1"] });
    expect(strict.losses.flatMap(({ bases = [] }) => bases)).toEqual([{ disk: "vdb", bitmap: "cp1" }]);
    expect([salvage.tier, strict.tier]).toEqual([2, 2]);
  });
});

describe("the calls that are listed", () => {
  test("of a deletion: the definition is written before it is deleted, narrowed where disks have no bitmap", () => {
    const world = healthyLine(4, ["vda", "vdb"]);
    drop(world, "vda", "cp1");
    const { steps } = planned(world, { intent: "remove", checkpointIds: ["cp1", "cp2"], bitmaps: [] });
    expect(hostCalls({ steps })).toEqual([
      "virDomainCheckpointCreateXML(REDEFINE) cp2: as it is",
      "virDomainCheckpointDelete(0) cp2",
      "virDomainCheckpointCreateXML(REDEFINE) cp1: only disks vdb",
      "virDomainCheckpointDelete(0) cp1",
    ]);
  });

  test("of bitmaps of a running VM: two a round, and a round takes one bitmap of each disk", () => {
    const world = healthyLine(3, ["vda", "vdb"]);
    const gone = ["cp0", "cp1"];
    if (world.observation.checkpoints.ok)
      world.observation.checkpoints.value = world.observation.checkpoints.value.filter(({ id }) => !gone.includes(id));
    drop(world, "vdb", "cp1");
    const { steps } = planned(world, { intent: "remove", checkpointIds: gone, bitmaps: [] });
    expect(hostCalls({ steps }).filter((call) => !call.includes("LookupByName"))).toEqual([
      "virDomainCheckpointCreateXML(REDEFINE) driftline.temporary: bitmap cp0 on vda, bitmap cp0 on vdb",
      "virDomainCheckpointDelete(0) driftline.temporary: bitmap cp0 on vda, bitmap cp0 on vdb",
      "virDomainCheckpointCreateXML(REDEFINE) driftline.temporary: bitmap cp1 on vda",
      "virDomainCheckpointDelete(0) driftline.temporary: bitmap cp1 on vda",
    ]);
  });
});

describe("prune", () => {
  test("of the last base of a disk is of tier 3, wants the VM's name, and says so", () => {
    const plan = planned(healthyLine(2, ["vda"]), { intent: "prune", rule: { ids: ["cp0", "cp1"] } });
    expect(plan).toMatchObject({ tier: 3, confirm: "vm" });
    expect(plan.losses.map(({ id }) => id)).toEqual(["chain", "last-base|vda", "bases"]);
  });

  test("deletes from leaf to root", () => {
    const plan = planned(healthyLine(4, ["vda"]), { intent: "prune", rule: { keepLast: 1 } });
    expect(plan.actions).toContainEqual({ verb: "host.delete-checkpoints", ids: ["cp2", "cp1", "cp0"] });
  });

  test("is refused where it would take the one bitmap that shows a rewind and leave others", () => {
    const world = healthyLine(3, ["vda"]);
    const count = { target: "vda", bitmap: "cp0", layerPath: "/var/lib/images/vda.qcow2", granularity: 65_536 };
    world.samples = [{ ...count, dirtyBytes: 1e12, at: "2026-01-01T00:00:00.000Z", runtimeId: "run-0" }];
    expect(codes(refused(world, { intent: "prune", rule: { keepLast: 2 } }))).toEqual(["unhealthy"]);
  });

  test("of what is not ours is refused", () => {
    const world = healthyLine(1, ["vda"]);
    const foreign = { id: "virtnbdbackup.0", parentId: null, createdAt: world.observation.observedAt, current: false };
    const list = world.observation.checkpoints;
    if (list.ok) list.value.push({ ...foreign, hasDisksElement: true, disks: [] });
    expect(codes(refused(world, { intent: "prune", rule: { ids: ["virtnbdbackup.0", "nobody"] } }))).toEqual([
      "foreign",
      "not-found",
    ]);
  });
});

describe("backup", () => {
  test("lists its files with the flags that make them, and reading them back only where that is done", () => {
    const world = healthyLine(1, ["vda"]);
    const restorePoints = new Set(["cp0|vda"]);
    const listed = (digestBackups: boolean) => {
      const policy = { leastTier: {}, digestBackups };
      const plan = planned(world, backup("auto"), { restorePoints, policy });
      return {
        calls: hostCalls(plan).filter((call) => call.startsWith("qemu-img")),
        words: plan.consequences.join(" "),
      };
    };
    const size = world.observation.disks[0]?.virtualSize;
    const create = `qemu-img create -q -f qcow2 -u -b <the file of cp0> -F qcow2 -- <new file for vda> ${size}`;
    expect(listed(false).calls).toEqual([create]);
    expect(listed(false).words).not.toContain("read back");
    expect(listed(true).calls).toEqual([
      create,
      "qemu-img check --output=json -f qcow2 -- <new file for vda, then each that it stands on>",
      "qemu-img convert -p -f qcow2 -O raw -- <new file for vda> <temporary file>; its SHA-256 is kept",
    ]);
    expect(listed(true).words).toContain("read back");
  });

  test("full may be applied by support, every other plan needs an operator", () => {
    expect(planned(healthyLine(1), backup("full")).role).toBe("support");
    expect(planned(healthyLine(1), backup("auto")).role).toBe("operator");
  });

  test("makes a root where every recorded checkpoint is about to go", () => {
    const world = healthyLine(2, ["vda"]);
    for (const item of world.record.checkpoints) item.state = "deleting";
    expect(planned(world, backup("auto")).actions[0]).toMatchObject({ verb: "host.backup", parentId: null });
  });

  test("auto takes a disk in full whose base has no restore point; incremental refuses it and says why", () => {
    const restorePoints = new Set(["cp1|vda"]);
    const plan = planned(healthyLine(2, ["vda", "vdb"]), backup("auto"), { restorePoints });
    expect(plan.counts).toMatchObject({ fullDisks: 1, incrementalDisks: 1 });
    expect(plan.consequences.join(" ")).toContain("vdb: full. No finished backup of cp1");
    expect(codes(refused(healthyLine(2, ["vda", "vdb"]), backup("incremental"), { restorePoints }))).toEqual([
      "no-base",
    ]);
  });

  test("takes a raw disk in full and leaves it out of the checkpoint", () => {
    const world = healthyLine(1, ["vda", "vdb"]);
    const raw = world.observation.disks[1];
    if (!raw?.layers.ok) throw new Error("read");
    raw.format = "raw";
    raw.layers.value = raw.layers.value.map((layer) => ({ ...layer, format: "raw", qcow2Compat: null, bitmaps: [] }));
    const [action] = planned(world, backup("auto")).actions;
    expect(action?.verb === "host.backup" && action.disks[1]).toEqual({
      target: "vdb",
      mode: "full",
      base: null,
      inCheckpoint: false,
    });
  });

  test("takes the newest base that has a file here, and in full only a disk that has none", () => {
    const world = healthyLine(3, ["vda", "vdb"]);
    const plan = planned(world, backup("auto"), { restorePoints: new Set(["cp0|vda", "cp1|vda"]) });
    const action = plan.actions.find(({ verb }) => verb === "host.backup");
    expect(action).toMatchObject({
      disks: [
        { target: "vda", mode: "incremental", base: "cp1" },
        { target: "vdb", mode: "full", base: null },
      ],
    });
    for (const { layers } of world.observation.disks)
      if (layers.ok) for (const layer of layers.value) layer.bitmaps = layer.bitmaps.filter((b) => b.name !== "cp1");
    const older = planned(world, backup("auto"), { restorePoints: new Set(["cp0|vda", "cp1|vda"]) });
    expect(older.actions[0]).toMatchObject({ disks: [{ target: "vda", base: "cp0" }, { target: "vdb" }] });
  });

  test("of a VM that does not run, or that a job holds, is refused", () => {
    expect(codes(refused(healthyLine(1, ["vda"], "shut-off"), backup("full")))).toEqual(["not-running"]);
    const busy = healthyLine(1);
    if (busy.observation.job.ok) busy.observation.job.value = { ...busy.observation.job.value, operation: "backup" };
    expect(codes(refused(busy, backup("full")))).toEqual(["job-running"]);
  });
});

describe("whatever is asked", () => {
  test("nothing is planned while two hosts run the VM", () => {
    const world = healthyLine(2);
    world.activeElsewhere = [{ hostId: OTHER_HOST, hostName: "beta", observedAt: world.observation.observedAt }];
    expect(codes(refused(world, { intent: "prune", rule: { keepLast: 1 } }))).toEqual(["two-hosts"]);
  });

  test("a second host that may run the VM, unproven, stops every change without being called a fact", () => {
    const world = healthyLine(2);
    const activeElsewhere = [{ hostId: OTHER_HOST, hostName: "beta" }];
    const request = { intent: "prune", rule: { keepLast: 1 } } as const;
    const result = buildPlan({ ...planInput(world, [], request), activeElsewhere });
    expect(result).toMatchObject({ ok: false, refusals: [{ code: "cannot-tell" }] });
  });

  test("broken links of the record allow nothing but their repair", () => {
    const world = healthyLine(3);
    const [root] = world.record.checkpoints;
    if (root) root.parentId = "cp2";
    expect(codes(refused(world, backup("full")))).toEqual(["record-broken"]);
    const request = { intent: "repair-record", links: true, closeBackup: false, abortJob: false } as const;
    const plan = planned(world, { ...request, retireDisks: [], acknowledge: [] });
    expect(plan.actions[0]).toEqual({ verb: "record.relink", items: [{ checkpointId: "cp0", parentId: null }] });
  });

  test("a policy raises the tier and never lowers it", () => {
    const world = healthyLine(3, ["vda"]);
    const request: PlanRequest = { intent: "prune", rule: { keepLast: 1 } };
    expect(planned(world, request, { policy: { leastTier: { prune: 3 } } })).toMatchObject({ tier: 3, confirm: "vm" });
    expect(planned(world, request, { policy: { leastTier: { prune: 0 } } }).tier).toBe(2);
  });
});
