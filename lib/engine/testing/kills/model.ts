/** Words of the kill run. */
import type { PlanRequest } from "#chain/plan/model.ts";

export const OPERATIONS = ["redefine", "heal", "prune", "backup"] as const;
export const VICTIMS = ["agent", "engine", "libvirtd", "qemu"] as const;
export type Operation = (typeof OPERATIONS)[number];
export type Victim = (typeof VICTIMS)[number];

/** `operation`: in it, before or just after it. `recovery`: what was killed has just been started. `repair`: in the job that a person then asks for. */
export type Phase = "operation" | "recovery" | "repair";

/**
 * `afterMs` counts from `from`: the job's creation; the moment at which so many of its steps were done; or that at which QEMU has
 * just begun to copy and was held, while libvirt is still busy with the begin.
 * `stalled`: QEMU is stopped for a moment before, so that libvirt dies in the middle of a call to it.
 */
export type Strike = {
  phase: Phase;
  victims: Victim[];
  from: "begin" | "held" | number;
  afterMs: number;
  stalled: boolean;
};

/** One process that was killed. */
export type Kill = {
  n: number;
  operation: Operation;
  victim: Victim;
  phase: Phase;
  together: boolean;
  held: boolean;
  /** A job ran on the VM at that moment: it was neither waited for nor over. */
  inJob: boolean;
};

/** What no kill has hit yet while a job ran. */
export function unhit(kills: readonly Kill[]): string[] {
  const inside = kills.filter(({ inJob }) => inJob);
  return [
    ...VICTIMS.filter((one) => !inside.some(({ victim }) => victim === one)),
    ...OPERATIONS.filter((one) => !inside.some(({ operation }) => operation === one)),
  ];
}

/** What one round was about, and what may be gone after it. */
export type Round = {
  operation: Operation;
  request: PlanRequest;
  /** `disk:checkpoint` of everything that was recorded before the damage. */
  before: string[];
  /** Those that the operation may take away when nothing else is lost. */
  mayGo: Set<string>;
  beganAt: Date;
  /** QEMU copies as slowly as it can until the kills are over: they fall into the copying. */
  isSlow: boolean;
};

/** What a killed libvirt left that only a person can end, and how often the harness did what the product then asks for. */
export type Restarts = {
  /** It lost a backup job of its own: the VM and libvirt are restarted. */
  lostBackups: number;
  /** It lost the VM, whose QEMU runs on: that is ended and the VM started. */
  lostVms: number;
};

export type KillReport = {
  seed: number;
  kills: Kill[];
  rounds: number;
  /** How the jobs that were killed in ended, by operation and state. */
  outcomes: Map<string, number>;
  /** Backups in which one disk was taken in full and another incrementally. */
  mixed: number;
  /** Backups that QEMU copied slowly while the kills came. */
  slow: number;
  /** Backups that failed after QEMU had begun them, so that something had to be removed from the host. */
  undone: number;
  /** Finished backups that were compared with the disk, byte for byte. */
  compared: number;
  restarts: Restarts;
  faults: string[];
};
