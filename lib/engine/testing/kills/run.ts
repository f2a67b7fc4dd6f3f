/**
 * Kills agent, engine, libvirtd and QEMU by SIGKILL at seeded points of redefine, heal, prune and backup on real hosts,
 * starts what was killed again, and says what does not hold afterwards. Used by the test and by the bench.
 */
import { applyNow, readAll } from "../plan-job.ts";
import { checkSettled, checkWhole, compareBackups, countUndone } from "./check.ts";
import { type KillReport, OPERATIONS, type Operation, type Round, type Strike } from "./model.ts";
import { Preparation } from "./prepare.ts";
import { Random } from "./random.ts";
import { converge, settle, Watch } from "./settle.ts";
import type { Stage } from "./stage.ts";
import { describeStrike, drawStrikes } from "./strikes.ts";
import { tellError } from "./words.ts";

export type KillOptions = {
  stage: Stage;
  seed: number;
  kills: number;
  /** Goes on beyond `kills` until this is so. */
  isEnough?: (report: KillReport) => boolean;
  /** ms since the epoch. */
  stopAt?: number;
  /** Only these. */
  operations?: readonly Operation[];
  /** Gets a line a round. */
  log?: (line: string) => void;
};

/** Runs until `kills` processes were killed and `isEnough`, `stopAt` has passed, or something does not hold. */
export async function runKills(options: KillOptions): Promise<KillReport> {
  const { stage, seed, kills, stopAt, operations = OPERATIONS, isEnough = () => true, log = () => {} } = options;
  const random = new Random(seed);
  const preparation = new Preparation(stage, random, operations);
  const report: KillReport = {
    seed,
    kills: [],
    rounds: 0,
    outcomes: new Map(),
    mixed: 0,
    slow: 0,
    undone: 0,
    compared: 0,
    restarts: { lostBackups: 0, lostVms: 0 },
    faults: [],
  };
  const isOpen = () => report.kills.length < kills || !isEnough(report);
  while (isOpen() && Date.now() < (stopAt ?? Number.POSITIVE_INFINITY)) {
    const began = Date.now();
    const round = await preparation.next();
    const strikes = drawStrikes(random, round.isSlow);
    const prepared = `${((Date.now() - began) / 1_000).toFixed(1)} s`;
    log(`${await playRound(stage, round, strikes, report)}, prepared in ${prepared}`);
    if (report.faults.length > 0) break;
  }
  return report;
}

/** One operation, its kills, and everything that must hold afterwards. Returns the line about it. */
async function playRound(stage: Stage, round: Round, strikes: Strike[], report: KillReport): Promise<string> {
  const began = Date.now();
  const done: Done[] = [];
  const faults: string[] = [];
  let jobState = "unsettled";
  let isCaught = false;
  let held: Promise<void> | null = null;
  const strike = async (one: Strike, jobId: string) => {
    done.push({ ...one, inJob: await stage.strike(one, jobId, held) });
  };
  const watch = new Watch(stage);
  try {
    const slow = round.isSlow ? await stage.slowDown() : null;
    held = slow?.caught ?? null;
    slow?.caught.then(
      () => {
        isCaught = true;
      },
      () => {},
    );
    const jobId = await applyNow(stage.engine.db, stage.vm.id, round.request);
    for (const one of strikes) if (one.phase !== "repair") await strike(one, jobId);
    slow?.release();
    jobState = await settle(stage, jobId, report.restarts);
    report.undone += await countUndone(stage, round, watch.met);
    await readAll(stage.engine, stage.vm.id);
    faults.push(...(await checkSettled(stage)));
    await converge(stage, report.restarts, async (repairId) => {
      for (const one of strikes) if (one.phase === "repair") await strike(one, repairId);
    });
    const wasQemuKilled = done.some(({ victims }) => victims.includes("qemu"));
    faults.push(...(await checkWhole(stage, round, wasQemuKilled)));
    const { compared, mixed, faults: differing } = await compareBackups(stage, round);
    report.compared += compared;
    report.mixed += mixed;
    faults.push(...differing);
  } catch (error) {
    faults.push(tellError(error));
  }
  faults.push(...(await watch.stop()));
  note(report, round, done, jobState);
  if (isCaught) report.slow += 1;
  const what = `${isCaught ? "slow " : ""}${round.operation}, ${done.map(describeStrike).join(", then ")}`;
  report.faults.push(...faults.map((words) => `${what}: ${words}`));
  const count = String(report.kills.length).padStart(4);
  return `${count}  ${what}: job ${jobState}, ${((Date.now() - began) / 1_000).toFixed(1)} s`;
}

type Done = Strike & { inJob: boolean };

function note(report: KillReport, { operation }: Round, strikes: Done[], jobState: string): void {
  report.rounds += 1;
  const outcome = `${operation} ${jobState.split(" ")[0]}`;
  report.outcomes.set(outcome, (report.outcomes.get(outcome) ?? 0) + 1);
  for (const { victims, phase, from, inJob } of strikes)
    for (const victim of victims) {
      const n = report.kills.length + 1;
      report.kills.push({ n, operation, victim, phase, together: victims.length > 1, held: from === "held", inJob });
    }
}
