/** Which processes are killed in a round, and when. */

import { type Phase, type Strike, VICTIMS, type Victim } from "./model.ts";
import type { Random } from "./random.ts";

/** Most operations are over by then: kills fall before, in and just after them. */
const LONGEST_DELAY_MS = 900;
/** After a step that was done: what comes next takes about as long. */
const LONGEST_STEP_DELAY_MS = 150;
const MOST_STEPS = 5;
/** libvirt notes a backup in several files in these first milliseconds. */
const LONGEST_HELD_DELAY_MS = 12;

/** @param isSlow the operation is a backup that is held as soon as QEMU copies */
export function drawStrikes(random: Random, isSlow: boolean): Strike[] {
  const first = draw(random, "operation");
  const isAtHold = isSlow && random.chance(0.5);
  const strikes: Strike[] = [
    isAtHold ? { ...first, from: "held", afterMs: random.below(LONGEST_HELD_DELAY_MS) } : first,
  ];
  if (random.chance(0.25)) strikes.push(draw(random, "recovery"));
  if (random.chance(0.25)) strikes.push(draw(random, "repair"));
  return strikes;
}

function draw(random: Random, phase: Phase): Strike {
  const first = random.pick(VICTIMS);
  const victims: Victim[] = [first];
  if (random.chance(0.25)) victims.push(random.pick(VICTIMS.filter((one) => one !== first)));
  // By the steps half of the time: on a busy machine the clock alone would only ever hit the first ones.
  const from = phase !== "recovery" && random.chance(0.5) ? random.below(MOST_STEPS) : "begin";
  const afterMs = random.below(from === "begin" ? LONGEST_DELAY_MS : LONGEST_STEP_DELAY_MS);
  const stalled = victims.includes("libvirtd") && !victims.includes("qemu") && random.chance(0.2);
  return { phase, victims, from, afterMs, stalled };
}

export const describeStrike = ({ phase, victims, from, afterMs, stalled }: Strike): string => {
  const moment = from === "begin" ? "its begin" : from === "held" ? "its copying was held" : `${from} steps`;
  const where = phase === "operation" ? "" : `in ${phase} `;
  return `${victims.join(" and ")}${stalled ? " under a stalled QEMU" : ""} ${where}${afterMs} ms after ${moment}`;
};
