/** What is killed at any point recovers by itself: twenty kills here, hundreds in `npm run bench:kill`. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { runKills } from "./testing/kills/run.ts";
import { type LabRig, openLabRig } from "./testing/lab-rig.ts";

let rig: LabRig;
beforeAll(async () => {
  rig = await openLabRig(["alpha"]);
});
afterAll(() => rig?.close());

test("after SIGKILL of agent, engine, libvirtd or QEMU anywhere, record, libvirt and bitmaps are one again and nothing unfinished is a base", async () => {
  const seed = Number(process.env.KILL_SEED ?? 20_260_101);
  const lines: string[] = [];
  const report = await runKills({ rig, seed, kills: 20, log: (line) => lines.push(line) });
  expect({ faults: report.faults, seed, lines: report.faults.length > 0 ? lines : [] }).toEqual({
    faults: [],
    seed,
    lines: [],
  });
  expect(report.kills.length).toBeGreaterThanOrEqual(20);
}, 400_000);
