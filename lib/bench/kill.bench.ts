/**
 * `npm run bench:kill [-- <kills> [<seed>]]`: SIGKILL of agent, engine, libvirtd and QEMU at seeded points of redefine,
 * heal, prune and backup on a real host, at least 200 by default. Prints the seed, a line a kill and a table; ends with
 * 1 at the first thing that does not hold. KILL_MINUTES bounds it.
 */
import { OPERATIONS, runKills, VICTIMS } from "../engine/testing/kill-run.ts";
import { openLabRig } from "../engine/testing/lab-rig.ts";

const [kills = "200", seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
const minutes = Number(process.env.KILL_MINUTES ?? 0);
console.log(`seed ${seed}: ${kills} kills`);
const rig = await openLabRig(["alpha"]);
try {
  const report = await runKills({
    rig,
    seed: Number(seed),
    kills: Number(kills),
    stopAt: minutes > 0 ? Date.now() + minutes * 60_000 : undefined,
    log: (line) => console.log(line),
  });
  const count = (operation: string, victim: string) =>
    report.kills.filter((kill) => kill.operation === operation && kill.victim === victim).length;
  const rows = OPERATIONS.map((operation) => ({
    "killed in": operation,
    ...Object.fromEntries(VICTIMS.map((victim) => [victim, count(operation, victim)])),
  }));
  console.log(`\nseed ${report.seed}: ${report.kills.length} kills, ${report.faults.length} faults`);
  console.table(rows);
  for (const fault of report.faults) console.log(`FAULT ${fault}`);
  process.exitCode = report.faults.length > 0 ? 1 : 0;
} finally {
  await rig.close();
}
