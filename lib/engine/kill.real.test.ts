/**
 * What is killed at any point recovers by itself: twenty kills by chance here, hundreds in `npm run bench:kill`. And the
 * engine killed at those steps which chance seldom hits.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PlanRequest } from "#chain/plan/model.ts";
import { getJob } from "#db/index.ts";
import { checkSettled } from "./testing/kills/check.ts";
import { type Kill, unhit } from "./testing/kills/model.ts";
import { addCheckpoint } from "./testing/kills/prepare.ts";
import { runKills } from "./testing/kills/run.ts";
import { settle, Watch } from "./testing/kills/settle.ts";
import { Stage } from "./testing/kills/stage.ts";
import { readRecorded, readWitnesses } from "./testing/kills/witness.ts";
import { type LabRig, openLabRig } from "./testing/lab-rig.ts";
import { applyNow, readAll } from "./testing/plan-job.ts";
import { until } from "./testing/rig.ts";

const HOSTS = ["alpha", "beta"];
let rig: LabRig;
const stages = new Map<string, Stage>();
/** By chance, so far. */
const killsOn = new Map<string, Kill[]>();
const MOST_KILLS = 30;
beforeAll(async () => {
  rig = await openLabRig(HOSTS);
  await Promise.all(HOSTS.map(async (host) => stages.set(host, await Stage.open(rig, host, `killed-${host}`))));
});
afterAll(async () => {
  await Promise.all([...stages.values()].map((stage) => stage.close()));
  await rig?.close();
});

function stageOn(host: string): Stage {
  const stage = stages.get(host);
  if (!stage) throw new Error(`no stage on ${host}`);
  return stage;
}

// Side by side: each waits most of its time for leases to run out and for processes to start.
describe("by chance", () => {
  const SEED = Number(process.env.KILL_SEED ?? 20_260_101);
  test.concurrent.each(HOSTS.map((host, i) => ({ host, seed: SEED + i })))(
    "after SIGKILL of agent, engine, libvirtd or QEMU anywhere, record, libvirt and bitmaps are one again and nothing unfinished is a base ($host, seed $seed)",
    async ({ host, seed }) => {
      const lines: string[] = [];
      const kills: Kill[] = [];
      killsOn.set(host, kills);
      const report = await runKills({
        stage: stageOn(host),
        seed,
        kills: 10,
        // What chance has not hit yet on either host it gets some more kills for.
        isEnough: (now) => {
          kills.splice(0, kills.length, ...now.kills);
          return kills.length >= MOST_KILLS || unhit([...killsOn.values()].flat()).length === 0;
        },
        log: (line) => lines.push(line),
      });
      expect({ faults: report.faults, lines: report.faults.length > 0 ? lines : [] }).toEqual({
        faults: [],
        lines: [],
      });
      expect(report.kills.length).toBeGreaterThanOrEqual(10);
    },
    600_000,
  );
});

test("by chance every victim and every operation was hit while a job ran", () => {
  expect(unhit([...killsOn.values()].flat())).toEqual([]);
});

/** A record of at least so many checkpoints, seen by the product. Returns the ids, oldest first. */
async function recordAtLeast(stage: Stage, count: number): Promise<string[]> {
  const ids = (await readRecorded(stage)).map(({ id }) => id);
  while (ids.length < count) {
    const id = `d${ids.length}`;
    await addCheckpoint(stage, id, ids.at(-1) ?? null);
    ids.push(id);
  }
  await readAll(stage.engine, stage.vm.id);
  return ids;
}

const apply = (stage: Stage, request: PlanRequest): Promise<string> => applyNow(stage.engine.db, stage.vm.id, request);

const stateOf = async (stage: Stage, id: string) =>
  (await readRecorded(stage)).find((row) => row.id === id)?.state ?? null;

/** A backup that is held while it is copied, and what was there before it. One that was over too soon is no backup to kill. */
async function holdBackup(stage: Stage) {
  await stage.fill(7);
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const before = await readWitnesses(stage);
    const watch = new Watch(stage);
    const slow = await stage.slowDown();
    const jobId = await apply(stage, { intent: "backup", mode: "full", disks: null, repository: null });
    const isHeld = await slow.caught.then(
      () => true,
      () => false,
    );
    if (isHeld) return { before, watch, jobId, release: slow.release };
    slow.release();
    await settle(stage, jobId);
    expect(await watch.stop()).toEqual([]);
    await readAll(stage.engine, stage.vm.id);
  }
  throw new Error("each backup was over before it could be held");
}

/** The backup is being copied; the engine is dead; somebody ends the job. What it made is all there, healthy, and no backup. */
async function endBackupBehindTheEngine(stage: Stage) {
  const { before, watch, jobId, release } = await holdBackup(stage);
  const [row] = (await readRecorded(stage)).filter(({ state }) => state === "creating");
  const id = row?.id ?? "";
  await until(
    () => stage.vm.virsh(["checkpoint-list", stage.vm.id, "--name"]),
    (names) => names.split("\n").includes(id),
  );
  await stage.kill(["engine"]);
  await stage.vm.abortJob();
  release();
  await until(
    () => stage.vm.virsh(["domjobinfo", stage.vm.id]),
    (words) => /None/.test(words),
  );
  return { before, watch, jobId, id };
}

describe("in a backup", () => {
  test.concurrent("a backup that ended while the engine was dead leaves no checkpoint, no bitmap and no file", async () => {
    const stage = stageOn("alpha");
    await recordAtLeast(stage, 1);
    const { before, watch, jobId, id } = await endBackupBehindTheEngine(stage);
    const left = await readWitnesses(stage);
    for (const keys of Object.values(left)) expect(keys).toEqual(expect.arrayContaining([`vda:${id}`, `vdb:${id}`]));
    await stage.revive(["engine"]);
    expect(await settle(stage, jobId)).toMatch(/^failed \(The backup was aborted on the host/);
    expect(await checkSettled(stage)).toEqual([]);
    expect(await watch.stop()).toEqual([]);
    expect(await readWitnesses(stage)).toEqual(before);
  });

  test.concurrent("nor does one of which libvirt knows no checkpoint, only QEMU its bitmaps, when the engine is killed once more while it cleans up", async () => {
    const stage = stageOn("beta");
    await recordAtLeast(stage, 1);
    const { before, watch, jobId, id } = await endBackupBehindTheEngine(stage);
    // As libvirt leaves it that is killed between QEMU's transaction and its own file.
    await stage.vm.deleteCheckpoint(id, { metadataOnly: true });
    const { libvirt, bitmaps } = await readWitnesses(stage);
    expect(libvirt).toEqual(before.libvirt);
    expect(bitmaps).toEqual(expect.arrayContaining([`vda:${id}`, `vdb:${id}`]));
    await stage.revive(["engine"]);
    await until(
      () => stateOf(stage, id),
      (state) => state !== "creating",
    );
    await stage.strike({ phase: "operation", victims: ["engine"], from: "begin", afterMs: 0, stalled: false }, jobId);
    await settle(stage, jobId);
    await readAll(stage.engine, stage.vm.id);
    expect(await checkSettled(stage)).toEqual([]);
    expect(await watch.stop()).toEqual([]);
    expect(await readWitnesses(stage)).toEqual(before);
  });
});

test("an engine that is killed while the host deletes has every row still, as no base; the next one ends the deletion", async () => {
  const stage = stageOn("alpha");
  const ids = await recordAtLeast(stage, 4);
  const doomed = ids.slice(1, 3);
  const watch = new Watch(stage);
  let jobId = "";
  stage.vm.pauseProcess();
  try {
    jobId = await apply(stage, { intent: "prune", rule: { ids: doomed } });
    await until(
      () => getJob(stage.engine.db.orm, jobId),
      (job) => job?.steps.some(({ verb, state }) => verb === "host.delete-checkpoints" && state === "running") ?? false,
    );
    await stage.kill(["engine"]);
    expect(await Promise.all(doomed.map((id) => stateOf(stage, id)))).toEqual(["deleting", "deleting"]);
  } finally {
    stage.vm.resumeProcess();
  }
  await stage.revive(["engine"]);
  expect(await settle(stage, jobId)).toBe("succeeded");
  await readAll(stage.engine, stage.vm.id);
  expect(await checkSettled(stage)).toEqual([]);
  expect(await watch.stop()).toEqual([]);
  const { record, libvirt, bitmaps } = await readWitnesses(stage);
  const stay = ids.filter((id) => !doomed.includes(id));
  const kept = ["vda", "vdb"].flatMap((disk) => stay.map((id) => `${disk}:${id}`)).sort();
  expect({ record, libvirt, bitmaps }).toEqual({ record: kept, libvirt: kept, bitmaps: kept });
});
