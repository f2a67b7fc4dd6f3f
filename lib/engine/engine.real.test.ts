import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { TEMPORARY_CHECKPOINT } from "#chain/names.ts";
import type { Chain } from "#contract/engine-vms.ts";
import { inTransaction, lockVm, savePresenceError, touchUnchanged } from "#db/index.ts";
import { readHost } from "./observe/read.ts";
import type { Engine } from "./state.ts";
import { call, openRig, type Rig, type SimHost, snapshot, until } from "./testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

const DISKS = [{ target: "vda", sizeMiB: 1_024 }];

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** A host with one running VM and an engine that has read it. */
async function openOne(name: string, more: { watch?: boolean; work?: boolean; policy?: object } = {}) {
  const url = await rig.newDatabase();
  const host = await rig.newHost(`${name}-${randomUUID().slice(0, 8)}`);
  const vmId = randomUUID();
  host.sim.define(vmId, name, DISKS);
  host.sim.start(vmId);
  const engine = await rig.newEngine(url, [host], more);
  if (!more.watch) await readAll(engine);
  return { url, host, vmId, engine };
}

async function readAll(engine: Engine): Promise<void> {
  for (const host of engine.hosts.values()) await readHost(engine, host);
}

const chainOf = async (engine: Engine, vmId: string): Promise<Chain> => {
  const answer = await call(engine, "GET", `/vms/${vmId}/chain`);
  if (answer.status !== 200) throw new Error(`no chain: ${JSON.stringify(answer.body)}`);
  return answer.body as Chain;
};
const kindsOf = (chain: Chain) => chain.findings.map((finding) => finding.id);

const validate = async (engine: Engine, vmId: string) =>
  (await call(engine, "POST", `/vms/${vmId}/validate`, { role: "support" })).body;

/** Records what libvirt has, as another manager would. */
async function register(engine: Engine, vmId: string, id: string, parentId: string | null) {
  const body = { id, parentId, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] };
  return call(engine, "POST", `/vms/${vmId}/checkpoints`, { body });
}

test("an observation that does not change is stored once, and only its time moves", async () => {
  const { url, engine, vmId } = await openOne("once");
  const before = await query(url, "select observed_at from vms");
  await readAll(engine);
  await readAll(engine);
  expect(await query(url, "select count(*)::int as n from observations")).toEqual([{ n: 1 }]);
  const after = await query(url, "select observed_at from vms");
  expect(Number(after[0]?.observed_at)).toBeGreaterThan(Number(before[0]?.observed_at));
  expect((await chainOf(engine, vmId)).host.status).toBe("observed");
});

test("a sweep that finds nothing changed and a read of one VM lock in one order, so that neither is a deadlock's victim", async () => {
  const { url, engine, vmId } = await openOne("order");
  const [host] = engine.hosts.keys();
  if (!host) throw new Error("there is no host");
  const at = new Date();
  const error = { code: "timeout", message: "Late.", hostMessage: null, retryable: true } as const;
  let sweep: Promise<void> | null = null;
  await inTransaction(engine.db, async (tx) => {
    await lockVm(tx, { id: vmId });
    sweep = inTransaction(engine.db, (other) => touchUnchanged(other, host, [{ vmId, digest: "" }], at));
    await until(
      () => query(url, "select pid from pg_locks where not granted"),
      (waiting) => waiting.length > 0,
    );
    await savePresenceError(tx, vmId, host, at, error);
  });
  await sweep;
});

test("dirty counts that move are a new sample and not a new observation, and the chain shows the new count", async () => {
  const { url, engine, host, vmId } = await openOne("counts");
  host.sim.checkpoint(vmId, "cp1");
  await readAll(engine);
  // Within the hour it would take the place of the one before.
  await query(url, "update dirty_samples set at = at - interval '1 hour'");
  host.sim.write(vmId, "vda", 4 * 65_536);
  await readAll(engine);
  await readAll(engine);
  expect(await query(url, "select dirty_bytes from dirty_samples order by id")).toEqual([
    { dirty_bytes: 0 },
    { dirty_bytes: 4 * 65_536 },
  ]);
  expect(await query(url, "select count(*)::int as n from observations")).toEqual([{ n: 2 }]);
  expect((await chainOf(engine, vmId)).host.disks[0]?.bitmaps?.[0]?.dirtyBytes).toBe(4 * 65_536);
});

test("a registered checkpoint that host and bitmaps have makes the three witnesses agree and the next backup incremental", async () => {
  const { engine, host, vmId } = await openOne("agree");
  host.sim.checkpoint(vmId, "cp1");
  await readAll(engine);
  expect(kindsOf(await chainOf(engine, vmId))).toEqual(["metadata.unknown|cp1||"]);
  expect((await register(engine, vmId, "cp1", null)).status).toBe(201);
  const chain = await chainOf(engine, vmId);
  expect(kindsOf(chain)).toEqual([]);
  expect(chain.record.revision).toBe(1);
  expect(chain.agreement).toBe("agrees");
  expect(chain.nextBackup).toEqual([
    {
      disk: "vda",
      verdict: "incremental",
      from: "cp1",
      estimatedBytes: 0,
      reason: null,
      lastKnown: null,
      isBaseBackedUp: false,
    },
  ]);
});

test("a finding keeps the time it was first seen, ends when it is gone, and starts anew when it comes back", async () => {
  const { engine, host, vmId } = await openOne("since");
  host.sim.addBitmap(vmId, "vda", "stray");
  await readAll(engine);
  const first = (await chainOf(engine, vmId)).findings[0];
  expect(first?.kind).toBe("bitmap.unknown");
  host.sim.checkpoint(vmId, "other");
  await readAll(engine);
  const second = (await chainOf(engine, vmId)).findings.find((finding) => finding.id === first?.id);
  expect(second?.since).toBe(first?.since);
  host.sim.removeBitmap(vmId, "vda", "stray");
  await readAll(engine);
  expect(kindsOf(await chainOf(engine, vmId))).not.toContain(first?.id);
  host.sim.addBitmap(vmId, "vda", "stray");
  await readAll(engine);
  const back = (await chainOf(engine, vmId)).findings.find((finding) => finding.id === first?.id);
  expect(Date.parse(back?.since ?? "")).toBeGreaterThan(Date.parse(first?.since ?? ""));
  const history = await call(engine, "GET", `/vms/${vmId}/findings`);
  const rows = (history.body as { items: { id: string; endedAt: string | null }[] }).items.filter(
    (row) => row.id === first?.id,
  );
  expect(rows.map((row) => row.endedAt === null)).toEqual([true, false]);
});

test("a VM that cannot be read keeps what was read, its agreement is unknown and nothing is empty", async () => {
  const { engine, host, vmId } = await openOne("fails");
  host.sim.checkpoint(vmId, "cp1");
  await readAll(engine);
  await register(engine, vmId, "cp1", null);
  expect((await chainOf(engine, vmId)).agreement).toBe("agrees");
  host.sim.changeDomain(vmId, (domain) => {
    domain.failure = "lock-held";
  });
  const answer = await call(engine, "POST", `/vms/${vmId}/observe`, { role: "support" });
  expect(answer.status).toBe(200);
  const chain = answer.body as Chain;
  expect(chain.host).toMatchObject({ status: "failed", error: { code: "lock-held" } });
  expect(chain.host.checkpoints?.map((item) => item.id)).toEqual(["cp1"]);
  expect(chain.host.disks).toHaveLength(1);
  expect(chain.agreement).toBe("unknown");
  const list = await call(engine, "GET", "/vms?agreement=agrees");
  expect((list.body as { total: number }).total).toBe(0);
  host.sim.changeDomain(vmId, (domain) => {
    domain.failure = null;
  });
  await readAll(engine);
  expect((await chainOf(engine, vmId)).agreement).toBe("agrees");
});

test("a disk that cannot be read keeps its findings and their age, and the VM does not agree", async () => {
  const { engine, host, vmId, url } = await openOne("locked");
  host.sim.checkpoint(vmId, "cp1");
  await readAll(engine);
  await register(engine, vmId, "cp1", null);
  host.sim.removeBitmap(vmId, "vda", "cp1");
  await readAll(engine);
  const shown = await chainOf(engine, vmId);
  const before = shown.findings;
  expect(before.map((finding) => finding.kind)).toEqual(["bitmap.missing"]);
  expect(before[0]?.evidence).toMatchObject({ observedAt: shown.host.observedAt, source: "qmp" });
  host.sim.changeDisk(vmId, "vda", (disk) => {
    disk.failure = "image-locked";
  });
  await readAll(engine);
  const chain = await chainOf(engine, vmId);
  expect(chain.findings.map(({ id, since }) => ({ id, since }))).toEqual(
    before.map(({ id, since }) => ({ id, since })),
  );
  expect(chain.host.disks[0]).toMatchObject({ bitmaps: null, error: { code: "image-locked" } });

  // What was said of the disk is as old as the read that showed it, however often it cannot be looked at again.
  const written = () => query(url, "select xmin::text as written from findings where ended_at is null");
  const once = await written();
  await readAll(engine);
  await readAll(engine);
  const later = await chainOf(engine, vmId);
  expect(Date.parse(later.host.observedAt ?? "")).toBeGreaterThan(Date.parse(shown.host.observedAt ?? ""));
  expect(later.findings[0]?.evidence).toEqual(before[0]?.evidence);
  expect(await written()).toEqual(once);
  host.sim.changeDisk(vmId, "vda", (disk) => {
    disk.failure = null;
  });
  await readAll(engine);
  const again = await chainOf(engine, vmId);
  expect(again.findings.map(({ id, since }) => ({ id, since }))).toEqual(
    before.map(({ id, since }) => ({ id, since })),
  );
  expect(again.findings[0]?.evidence.observedAt).toBe(again.host.observedAt);
});

test("a host that is gone makes its VMs offline and unknown, and what was read stays", async () => {
  const { engine, host, vmId } = await openOne("offline", { watch: true });
  await until(
    () => call(engine, "GET", `/vms/${vmId}`),
    (answer) => answer.status === 200,
  );
  await host.stop();
  const row = await until(
    () => call(engine, "GET", `/vms/${vmId}`),
    (answer) => (answer.body as { axes: { freshness: string } }).axes.freshness === "offline",
  );
  expect(row.body).toMatchObject({ axes: { agreement: "unknown", freshness: "offline" }, disks: 1 });
  const chain = await chainOf(engine, vmId);
  expect(chain.host).toMatchObject({ status: "failed", error: { code: "agent-unreachable" } });
  expect(chain.host.disks).toHaveLength(1);
  await host.start();
  await until(
    () => chainOf(engine, vmId),
    (now) => now.host.status === "observed",
  );
});

test("a running VM is read within a moment of an event, long before the next sweep", async () => {
  const { engine, host, vmId } = await openOne("events", { watch: true });
  await until(
    () => call(engine, "GET", `/vms/${vmId}`),
    (answer) => (answer.body as { power?: string }).power === "running",
  );
  const began = Date.now();
  host.sim.stop(vmId);
  await until(
    () => call(engine, "GET", `/vms/${vmId}`),
    (answer) => (answer.body as { power?: string }).power === "shut-off",
    5_000,
  );
  expect(Date.now() - began).toBeLessThan(5_000);
});

test("a VM that vanishes from all hosts is absent and its record stands without any finding", async () => {
  const { engine, host, vmId } = await openOne("gone");
  host.sim.checkpoint(vmId, "cp1");
  await readAll(engine);
  await register(engine, vmId, "cp1", null);
  host.sim.removeBitmap(vmId, "vda", "cp1");
  await readAll(engine);
  host.sim.change((state) => {
    state.domains = [];
  });
  await readAll(engine);
  const chain = await chainOf(engine, vmId);
  expect(chain.vm.power).toBe("absent");
  expect(chain.record.checkpoints.map((item) => item.id)).toEqual(["cp1"]);
  expect(chain.host.checkpoints).toBeNull();
  expect(kindsOf(chain)).toEqual([]);
  expect(chain.agreement).toBe("unknown");
});

/** The same VM, defined and known to two hosts. */
async function openTwo(name: string): Promise<{ engine: Engine; a: SimHost; b: SimHost; vmId: string }> {
  const { host: a, vmId } = await openOne(`${name}-a`);
  const b = await rig.newHost(`${name}-b-${randomUUID().slice(0, 8)}`);
  const url = await rig.newDatabase();
  const engine = await rig.newEngine(url, [a, b]);
  await readAll(engine);
  return { engine, a, b, vmId };
}
const copyTo = (from: SimHost, to: SimHost, vmId: string, power: "running" | "shut-off") => {
  const domain = structuredClone(domainOn(from, vmId));
  to.sim.change((state) => {
    state.domains = [
      ...state.domains.filter((one) => one.vmId !== vmId),
      { ...domain, power, run: power === "running" ? 1 : 0 },
    ];
  });
};
function domainOn(host: SimHost, vmId: string) {
  let found: Parameters<Parameters<SimHost["sim"]["changeDomain"]>[1]>[0] | null = null;
  host.sim.changeDomain(vmId, (domain) => {
    found = domain;
  });
  if (!found) throw new Error("no such domain");
  return found as Parameters<Parameters<SimHost["sim"]["changeDomain"]>[1]>[0];
}

test("a VM that runs on two hosts at once is reported and blocks its next backup", async () => {
  const { engine, a, b, vmId } = await openTwo("twice");
  copyTo(a, b, vmId, "running");
  await readAll(engine);
  const chain = await chainOf(engine, vmId);
  expect(kindsOf(chain)).toContain("vm.two-hosts|||");
  expect(chain.nextBackup[0]?.verdict).toBe("blocked");
});

test("a VM that moved is not reported on two hosts, and the host that runs it speaks", async () => {
  const { engine, a, b, vmId } = await openTwo("moved");
  copyTo(a, b, vmId, "running");
  a.sim.stop(vmId);
  // Only the target is read: the last word of the source is still "running".
  const target = [...engine.hosts.values()].find((host) => host.name === b.name);
  if (!target) throw new Error("no such host");
  await readHost(engine, target);
  const chain = await chainOf(engine, vmId);
  expect(kindsOf(chain)).not.toContain("vm.two-hosts|||");
  expect(chain.vm).toMatchObject({ hostName: b.name, power: "running" });
});

test("an image that was put back from before is found, and stays found after its counts have grown past the old ones", async () => {
  const { engine, host, vmId } = await openOne("rewound");
  host.sim.checkpoint(vmId, "cp1");
  host.sim.write(vmId, "vda", 40 * 65_536);
  await readAll(engine);
  await register(engine, vmId, "cp1", null);
  const setCount = (dirtyBytes: number) =>
    host.sim.changeDisk(vmId, "vda", (disk) => {
      for (const bitmap of disk.layers[0]?.bitmaps ?? []) bitmap.dirtyBytes = dirtyBytes;
    });
  setCount(10 * 65_536);
  await readAll(engine);
  expect(kindsOf(await chainOf(engine, vmId))).toEqual(["bitmap.rewound|cp1|vda|cp1"]);
  setCount(90 * 65_536);
  await readAll(engine);
  const chain = await chainOf(engine, vmId);
  expect(kindsOf(chain)).toEqual(["bitmap.rewound|cp1|vda|cp1"]);
  expect(chain.nextBackup[0]?.verdict).toBe("full");
  expect(await validate(engine, vmId)).toMatchObject({
    valid: false,
    findings: [{ id: "bitmap.rewound|cp1|vda|cp1", severity: "loss" }],
  });
});

test("a bitmap made anew with another granularity is no base any more, whatever it counts", async () => {
  const { engine, host, vmId } = await openOne("made-anew");
  host.sim.checkpoint(vmId, "cp1");
  await register(engine, vmId, "cp1", null);
  host.sim.write(vmId, "vda", 40 * 65_536);
  await readAll(engine);
  expect((await chainOf(engine, vmId)).nextBackup[0]).toMatchObject({ verdict: "incremental", from: "cp1" });
  host.sim.changeDisk(vmId, "vda", (disk) => {
    for (const bitmap of disk.layers[0]?.bitmaps ?? []) Object.assign(bitmap, { granularity: 32_768, dirtyBytes: 0 });
  });
  await readAll(engine);
  const chain = await chainOf(engine, vmId);
  expect(chain.findings).toMatchObject([
    { id: "bitmap.granularity-differs|cp1|vda|cp1", severity: "loss", reason: "from-record", remedies: ["heal"] },
  ]);
  expect(chain.nextBackup[0]).toMatchObject({ verdict: "full", reason: "bitmap-remade" });
  expect(await validate(engine, vmId)).toMatchObject({
    valid: false,
    findings: [{ id: "bitmap.granularity-differs|cp1|vda|cp1", severity: "loss" }],
  });
});

test("validating a VM whose image was put back says so before anybody else has looked, and writes nothing of it down", async () => {
  const { engine, host, vmId, url } = await openOne("validate-rewound");
  host.sim.checkpoint(vmId, "cp1");
  host.sim.write(vmId, "vda", 40 * 65_536);
  await readAll(engine);
  await register(engine, vmId, "cp1", null);
  await readAll(engine);
  const before = await snapshot(url, ["audit_log"]);
  expect(await validate(engine, vmId)).toMatchObject({ valid: true, findings: [] });
  host.sim.changeDisk(vmId, "vda", (disk) => {
    for (const bitmap of disk.layers[0]?.bitmaps ?? []) bitmap.dirtyBytes = 10 * 65_536;
  });
  expect(await validate(engine, vmId)).toMatchObject({ valid: false, findings: [{ kind: "bitmap.rewound" }] });
  expect(await snapshot(url, ["audit_log"])).toBe(before);
});

test("a snapshot that was committed and one that is taken at the same path again are no rewind", async () => {
  const { engine, host, vmId } = await openOne("nightly");
  host.sim.checkpoint(vmId, "cp1");
  await register(engine, vmId, "cp1", null);
  await readAll(engine);
  const takeSnapshot = (dirtyBytes: number) =>
    host.sim.changeDisk(vmId, "vda", (disk) => {
      const [base] = disk.layers;
      if (!base) throw new Error("no image");
      const bitmaps = base.bitmaps.map((bitmap) => ({ ...bitmap, dirtyBytes }));
      disk.layers = [{ ...base, path: "/images/nightly.qcow2", bitmaps }, base];
    });
  takeSnapshot(9 * 65_536);
  await readAll(engine);
  host.sim.changeDisk(vmId, "vda", (disk) => {
    disk.layers = disk.layers.slice(1);
  });
  await readAll(engine);
  takeSnapshot(0);
  await readAll(engine);
  expect(kindsOf(await chainOf(engine, vmId))).toEqual([]);
});

test("a checkpoint that another manager registers late stands at the place of its age", async () => {
  const { engine, host, vmId, url } = await openOne("late");
  host.sim.checkpoint(vmId, "cp1");
  await readAll(engine);
  await register(engine, vmId, "cp1", null);
  const body = { id: "older", parentId: null, createdAt: "2025-01-01T00:00:00Z", disks: ["vda"] };
  expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  const chain = await chainOf(engine, vmId);
  const rows = await query(url, "select checkpoint_id as id from vm_checkpoints order by sequence");
  expect(rows).toEqual([{ id: "older" }, { id: "cp1" }]);
  expect(chain.nextBackup[0]).toMatchObject({ verdict: "incremental", from: "cp1" });
});

test("a name that another manager uses again begins its counts anew", async () => {
  const { engine, host, vmId, url } = await openOne("again");
  host.sim.checkpoint(vmId, "daily");
  host.sim.write(vmId, "vda", 40 * 65_536);
  await register(engine, vmId, "daily", null);
  await readAll(engine);
  expect(await query(url, "select count(*)::int as n from dirty_peaks where bitmap = 'daily'")).toEqual([{ n: 1 }]);
  // Its owner takes it away, in the record too, and makes it anew.
  await query(url, "delete from vm_checkpoint_disk_map; delete from vm_checkpoints");
  host.sim.changeDisk(vmId, "vda", (disk) => {
    for (const bitmap of disk.layers[0]?.bitmaps ?? []) bitmap.dirtyBytes = 0;
  });
  await readAll(engine);
  await register(engine, vmId, "daily", null);
  expect(kindsOf(await chainOf(engine, vmId))).toEqual([]);
});

test("another image under the same target is found again and again, and a proven move is not", async () => {
  const { engine, host, vmId, url } = await openOne("replaced");
  host.sim.checkpoint(vmId, "cp1");
  await readAll(engine);
  await register(engine, vmId, "cp1", null);
  const setInode = (inode: string) =>
    host.sim.changeDisk(vmId, "vda", (disk) => {
      disk.inode = inode;
    });
  setInode("777");
  await readAll(engine);
  await readAll(engine);
  expect(kindsOf(await chainOf(engine, vmId))).toContain("disk.replaced||vda|");
  expect(await query(url, "select identity->>'inode' as inode from disks")).not.toEqual([{ inode: "777" }]);
  await query(url, "update disks set move_proven_at = now()");
  setInode("778");
  await readAll(engine);
  expect(kindsOf(await chainOf(engine, vmId))).not.toContain("disk.replaced||vda|");
  expect(await query(url, "select identity->>'inode' as inode, move_proven_at from disks")).toEqual([
    { inode: "778", move_proven_at: null },
  ]);
});

test("registering repeats without a change, and refuses what is not so with every field named", async () => {
  const { engine, vmId, url } = await openOne("register");
  const first = await register(engine, vmId, "cp1", null);
  const before = await snapshot(url);
  const again = await register(engine, vmId, "cp1", null);
  expect(again).toMatchObject({ status: first.status, body: first.body });
  expect(await snapshot(url)).toBe(before);
  expect((await register(engine, vmId, "cp1", "cp0")).status).toBe(409);
  const wrong = await call(engine, "POST", `/vms/${vmId}/checkpoints`, {
    body: { id: "cp2", parentId: "nope", createdAt: "2099-01-01T00:00:00Z", disks: ["vda", "vdx", "vda"] },
  });
  expect(wrong.status).toBe(422);
  expect((wrong.body as { errors: { field: string }[] }).errors.map((error) => error.field)).toEqual([
    "parentId",
    "createdAt",
    "disks[1]",
    "disks[2]",
  ]);
  // What no agent would ever define: recorded, it could never be redefined.
  const undefinable = await call(engine, "POST", `/vms/${vmId}/checkpoints`, {
    body: { id: TEMPORARY_CHECKPOINT, parentId: null, createdAt: "1969-12-31T23:59:59Z", disks: ["vda"] },
  });
  expect(undefinable.status).toBe(422);
  expect((undefinable.body as { errors: { field: string }[] }).errors.map((error) => error.field)).toEqual([
    "id",
    "createdAt",
  ]);
  const unknown = await call(engine, "POST", `/vms/${randomUUID()}/checkpoints`, {
    body: { id: "cp2", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] },
  });
  expect(unknown.status).toBe(404);
  expect(await snapshot(url)).toBe(before);
});

test("checkpoints registered at the same time keep one sequence, one revision each and one audit row each", async () => {
  const { engine, vmId, url } = await openOne("racing");
  const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => register(engine, vmId, `cp${i}`, null)));
  expect(answers.map((answer) => answer.status)).toEqual(Array(12).fill(201));
  const rows = await query(url, "select sequence from vm_checkpoints order by sequence");
  expect(rows.map((row) => row.sequence)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  expect(await query(url, "select revision from vms")).toEqual([{ revision: 12 }]);
  expect(await query(url, "select count(*)::int as n from audit_log where action = 'vms.registerCheckpoint'")).toEqual([
    { n: 12 },
  ]);
});

test("validating changes nothing but the audit, and says cannot tell when the host does not answer", async () => {
  const { engine, host, vmId, url } = await openOne("validate");
  host.sim.checkpoint(vmId, "cp1");
  await readAll(engine);
  await register(engine, vmId, "cp1", null);
  const before = await snapshot(url, ["audit_log"]);
  const valid = await call(engine, "POST", `/vms/${vmId}/validate`, { role: "support" });
  expect(valid.body).toMatchObject({ valid: true, findings: [] });
  host.sim.removeBitmap(vmId, "vda", "cp1");
  const broken = await call(engine, "POST", `/vms/${vmId}/validate`, { role: "support" });
  expect(broken.body).toMatchObject({ valid: false, findings: [{ kind: "bitmap.missing" }] });
  await host.stop();
  const silent = await call(engine, "POST", `/vms/${vmId}/validate`, { role: "support" });
  expect(silent).toMatchObject({
    status: 200,
    body: { valid: null, unknown: [{ error: { code: "agent-unreachable" } }] },
  });
  expect(await snapshot(url, ["audit_log"])).toBe(before);
});

test("validating takes what is recorded as it is: a checkpoint that is being deleted, a disk that was retired", async () => {
  const { engine, host, vmId, url } = await openOne("validate-states", { work: false });
  host.sim.checkpoint(vmId, "cp1");
  host.sim.checkpoint(vmId, "cp2");
  await readAll(engine);
  await register(engine, vmId, "cp1", null);
  await register(engine, vmId, "cp2", "cp1");
  await query(url, "update vm_checkpoints set state = 'deleting' where checkpoint_id = 'cp1'");
  const validate = async () =>
    (await call(engine, "POST", `/vms/${vmId}/validate`, { role: "support" })).body as {
      findings: { kind: string }[];
    };
  expect((await validate()).findings.map(({ kind }) => kind)).toEqual(["checkpoint.unfinished"]);
  await query(
    url,
    `insert into jobs (vm_id, kind, state, actor) values ('${vmId}', 'prune', 'running', 'test');
     insert into job_steps (job_id, n, state, checkpoint_ids) select id, 0, 'running', '{cp1}' from jobs`,
  );
  expect(await validate()).toMatchObject({ valid: true, findings: [] });
});

test("the same configuration applied twice changes nothing", async () => {
  const url = await rig.newDatabase();
  const host = await rig.newHost("idempotent");
  const admin = { email: "Admin@Example.org", password: "correct horse battery" };
  const one = await rig.newEngine(url, [host], { admin });
  await one.stop();
  const before = await snapshot(url);
  const two = await rig.newEngine(url, [host], { admin });
  expect(await snapshot(url)).toBe(before);
  await two.stop();
  await rig.newEngine(url, [host], { admin: { ...admin, password: "another horse battery" } });
  const users = await query(url, "select email, role from auth_users");
  expect(users).toEqual([{ email: "admin@example.org", role: "admin" }]);
  expect(await snapshot(url)).not.toBe(before);
});

test("several web processes start at once on an empty database, and one of them watches a host", async () => {
  const url = await rig.newDatabase();
  const host = await rig.newHost("shared");
  const vmId = randomUUID();
  host.sim.define(vmId, "shared", DISKS);
  const engines = await Promise.all([0, 1, 2].map(() => rig.newEngine(url, [host], { watch: true })));
  const [first] = engines;
  if (!first) throw new Error("no engine");
  await until(
    () => call(first, "GET", `/vms/${vmId}`),
    (answer) => answer.status === 200,
  );
  // One holder of each lock: of the host, and of keeping house.
  const held = () =>
    query(
      url,
      `select count(*)::int as locks, count(distinct objid)::int as names, bool_or(objid::int = hashtext(h.id::text)) as host
       from pg_locks cross join hosts h where locktype = 'advisory' and granted
       and database = (select oid from pg_database where datname = current_database())`,
    );
  const whole = { locks: 2, names: 2, host: true };
  await until(held, (rows) => isDeepStrictEqual(rows, [whole]));
  await first.stop();
  const second = engines[1];
  if (!second) throw new Error("no engine");
  await until(held, (rows) => isDeepStrictEqual(rows, [whole]));
  host.sim.start(vmId);
  await until(
    () => call(second, "GET", `/vms/${vmId}`),
    (answer) => (answer.body as { power?: string }).power === "running",
  );
});

test("a change that one web process writes reaches the event streams of another", async () => {
  const { url, host, vmId } = await openOne("stream");
  const writer = await rig.newEngine(url, [host]);
  const reader = await rig.newEngine(url, [host]);
  const heard: unknown[] = [];
  reader.changes.subscribe((event) => heard.push(event));
  await until(
    async () => {
      await register(writer, vmId, `cp-${randomUUID()}`, null);
      return heard;
    },
    (events) => events.some((event) => (event as { type?: string; vmId?: string }).vmId === vmId),
  );
});

test("a database that restarts is found again without a restart of ours", async () => {
  const { engine, host, vmId } = await openOne("restart", { watch: true });
  await until(
    () => call(engine, "GET", `/vms/${vmId}`),
    (answer) => answer.status === 200,
  );
  const pid = rig.postgres.pid();
  if (pid === null) throw new Error("no server");
  process.kill(pid, "SIGKILL");
  const during = await call(engine, "GET", `/vms/${vmId}`);
  expect([200, 503]).toContain(during.status);
  if (during.status === 503) expect(during.body).toMatchObject({ code: "unavailable", retryable: true });
  await until(
    () => call(engine, "GET", `/vms/${vmId}`),
    (answer) => answer.status === 200,
    60_000,
  );
  host.sim.stop(vmId);
  await until(
    () => call(engine, "GET", `/vms/${vmId}`),
    (answer) => (answer.body as { power?: string }).power === "shut-off",
    30_000,
  );
});
