/**
 * `npm run bench:kill [-- <kills> [<seed> [<operation>]]]`: SIGKILL of agent, engine, libvirtd and QEMU at seeded points of redefine,
 * heal, prune and backup on a real host, at least 200 by default. Prints the seed, a line a round and tables; ends with
 * 1 at the first thing that does not hold. KILL_MINUTES bounds it.
 */
import { loadavg } from "node:os";
import { type Kill, type KillReport, OPERATIONS, unhit, VICTIMS } from "../engine/testing/kills/model.ts";
import { runKills } from "../engine/testing/kills/run.ts";
import { Stage } from "../engine/testing/kills/stage.ts";
import { openLabRig } from "../engine/testing/lab-rig.ts";

const [kills = "200", seed = String(Date.now() % 1_000_000), only] = process.argv.slice(2);
const minutes = Number(process.env.KILL_MINUTES ?? 0);
const load = () => (loadavg()[0] ?? 0).toFixed(1);
console.log(`seed ${seed}: ${kills} kills, load ${load()}`);
const began = Date.now();
const rig = await openLabRig(["alpha"]);
const stage = await Stage.open(rig, "alpha", `killed-${seed}`);
try {
  const report = await runKills({
    stage,
    seed: Number(seed),
    kills: Number(kills),
    stopAt: minutes > 0 ? Date.now() + minutes * 60_000 : undefined,
    operations: only === undefined ? OPERATIONS : OPERATIONS.filter((one) => one === only),
    log: (line) => console.log(`${line}, load ${load()}`),
  });
  print(report);
  process.exitCode = report.faults.length > 0 ? 1 : 0;
} finally {
  await stage.close();
  await rig.close();
}

function print(report: KillReport): void {
  const { kills: all, rounds, outcomes, mixed, slow, undone, compared, restarts, faults } = report;
  const minutesTaken = ((Date.now() - began) / 60_000).toFixed(1);
  console.log(
    `\nseed ${report.seed}: ${all.length} kills in ${rounds} rounds, ${faults.length} faults, ${minutesTaken} min`,
  );
  const rows = OPERATIONS.map((operation) => {
    const of = all.filter((kill) => kill.operation === operation);
    const count = (some: readonly Kill[]) => `${some.length} (${some.filter(({ inJob }) => inJob).length})`;
    const byVictim = VICTIMS.map((one) => [one, count(of.filter(({ victim }) => victim === one))]);
    return { "killed in (while a job ran)": operation, ...Object.fromEntries(byVictim), all: count(of) };
  });
  console.table(rows);
  const missed = unhit(all);
  if (missed.length > 0) console.log(`not hit while a job ran: ${missed.join(", ")}`);
  const inRecovery = all.filter(({ phase }) => phase === "recovery").length;
  const inRepair = all.filter(({ phase }) => phase === "repair").length;
  const together = all.filter((kill) => kill.together).length;
  const atHold = all.filter(({ held }) => held).length;
  console.log(
    `${inRecovery} during recovery, ${inRepair} during the repair after it, ${together} with another at once, ${atHold} in a backup's first milliseconds`,
  );
  console.log(
    `${mixed} backups mixed full and incremental, ${slow} slow, ${undone} undone after they had begun; ${compared} files compared with their disks`,
  );
  console.log(`libvirt lost ${restarts.lostBackups} backup jobs of its own and ${restarts.lostVms} running VMs`);
  console.log(`jobs: ${[...outcomes].map(([words, n]) => `${words} ${n}`).join(", ")}`);
  for (const fault of faults) console.log(`FAULT ${fault}`);
}
