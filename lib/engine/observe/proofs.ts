/** For how long it counts that a disk was seen to move with its bitmaps: for the run of the VM in which it did. Pure. */
import type { Observation } from "#chain/model.ts";
import { isLive } from "#chain/trust.ts";

export type MoveProof = {
  at: string;
  /** Where it was seen; null: by an older version, which did not note it. */
  hostId: string | null;
  /** The run in which it was seen; null: of a VM that just came here, whose run nobody has read yet. */
  runtimeId: string | null;
};
type Disk = { id: string; target: string; moveProof: MoveProof | null };
export type JudgedProofs = {
  /** Targets of which another image is the same disk. */
  proven: string[];
  /** Of these, the ones where this read shows how it ended: nothing is left to explain. */
  settled: string[];
  /** Disks whose proof is of the run that is seen here for the first time. */
  begun: string[];
  /** Disks whose proof is over: the VM stopped since, and anybody may have put another image there. */
  ended: string[];
};

/** After this long a host that runs the VM by itself shows no leftover of a migration away from it. */
const MOVE_SETTLES_MS = 60_000;

type Word = "begins" | "settles" | "explains" | "ends" | "says-nothing";

/**
 * | the read                              | run of the proof | later   | earlier  |
 * |---------------------------------------|------------------|---------|----------|
 * | same host, live                       | the same         | settles | explains |
 * | same host, live                       | not read yet     | begins  | nothing  |
 * | same host, live                       | another          | ends    | nothing  |
 * | same host, stopped or absent          | any              | ends    | nothing  |
 * | another host, live and not migrating  | any              | ends    | nothing  |
 *
 * An earlier one may show the image from before the move or, where the word of it came late, the one after it.
 */
function wordOf(proof: MoveProof, observation: Observation, hostId: string): Word {
  const laterMs = Date.parse(observation.observedAt) - Date.parse(proof.at);
  if (observation.power === "unknown") return "says-nothing";
  if (!(laterMs > 0)) {
    const isOfRun = proof.runtimeId !== null && proof.runtimeId === observation.runtimeId;
    return isOfRun && proof.hostId === hostId && isLive(observation) ? "explains" : "says-nothing";
  }
  if (proof.hostId !== null && proof.hostId !== hostId) {
    const migrates = !observation.job.ok || observation.job.value.operation === "migration";
    return isLive(observation) && !migrates && laterMs > MOVE_SETTLES_MS ? "ends" : "says-nothing";
  }
  if (!isLive(observation)) return "ends";
  if (proof.runtimeId === null) return observation.runtimeId === null ? "settles" : "begins";
  return proof.runtimeId === observation.runtimeId ? "settles" : "ends";
}

/** `hostId`: the host that the observation is of. */
export function judgeProofs(disks: readonly Disk[], observation: Observation, hostId: string): JudgedProofs {
  const judged: JudgedProofs = { proven: [], settled: [], begun: [], ended: [] };
  for (const { id, target, moveProof } of disks) {
    const word = moveProof ? wordOf(moveProof, observation, hostId) : "says-nothing";
    const settles = word === "settles" || word === "begins";
    if (settles || word === "explains") judged.proven.push(target);
    if (settles) judged.settled.push(target);
    if (word === "begins") judged.begun.push(id);
    if (word === "ends") judged.ended.push(id);
  }
  return judged;
}
