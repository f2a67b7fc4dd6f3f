/** Which processes are killed in a round, and when. */

import { type Phase, type Strike, VICTIMS, type Victim } from "./model.ts";
import type { Random } from "./random.ts";

/** Most operations are over by then: kills fall before, in and just after them. */
const LONGEST_DELAY_MS = 900;
/** After a step that was done: what comes next takes about as long. */
const LONGEST_STEP_DELAY_MS = 150;
const MOST_STEPS = 5;

export function drawStrikes(random: Random): Strike[] {
  const strikes = [draw(random, "operation")];
  if (random.chance(0.25)) strikes.push(draw(random, "recovery"));
  if (random.chance(0.25)) strikes.push(draw(random, "repair"));
  return strikes;
}

function draw(random: Random, phase: Phase): Strike {
  const first = random.pick(VICTIMS);
  const victims: Victim[] = [first];
  if (random.chance(0.25)) victims.push(random.pick(VICTIMS.filter((one) => one !== first)));
  // By the steps half of the time: on a busy machine the clock alone would only ever hit the first ones.
  const step = phase !== "recovery" && random.chance(0.5) ? random.below(MOST_STEPS) : null;
  const afterMs = random.below(step === null ? LONGEST_DELAY_MS : LONGEST_STEP_DELAY_MS);
  const stalled = victims.includes("libvirtd") && !victims.includes("qemu") && random.chance(0.2);
  return { phase, victims, step, afterMs, stalled };
}

export const describeStrike = ({ phase, victims, step, afterMs, stalled }: Strike): string =>
  `${victims.join(" and ")}${stalled ? " under a stalled QEMU" : ""} ${phase === "operation" ? "" : `in ${phase} `}${afterMs} ms after ${step === null ? "its begin" : `${step} steps`}`;
