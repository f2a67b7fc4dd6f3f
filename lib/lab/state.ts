import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Isolation } from "./daemon.ts";
import { takeLock } from "./lock.ts";
import type { ProcessRef } from "./processes.ts";
import type { Account } from "./tools.ts";

export type DiskFormat = "qcow2" | "raw" | "qcow2-v2";
/** One disk of a lab VM. `path` is where its image lies, shared by all hosts of the lab. */
export type LabDisk = { target: string; sizeMiB: number; format: DiskFormat; path: string };

export type HostState = { name: string; uuid: string; daemon: ProcessRef | null };
/** A checkpoint as the record of a manager should have it: body of `POST /vms/{vmId}/checkpoints`. */
export type RecordedCheckpoint = { id: string; parentId: string | null; createdAt: string; disks: string[] };

/** What a scenario's VM is before its drift, and again after the undo. */
export type BaseState = { name: string; host: string; disks: LabDisk[]; record: RecordedCheckpoint[] };

export type VmState = {
  id: string;
  name: string;
  host: string;
  isTransient: boolean;
  disks: LabDisk[];
  /** Set on VMs that prepareScenario made. */
  base: BaseState | null;
  /** The scenario that is applied and not yet undone. */
  applied: string | null;
  /** The base that it is in, untouched since it was reset; null once a scenario has begun. */
  fresh: "stored" | "newest-unflushed" | null;
};

/** What describes a lab to every process that works on it: `<dir>/lab.json`. */
export type LabState = {
  version: 1;
  /** Marks the processes of this lab; new at every opening. */
  token: string;
  account: Account | null;
  isolation: Isolation;
  /** True while the lab stays up without the process that opened it (CLI `up`). */
  isDetached: boolean;
  hosts: HostState[];
  vms: VmState[];
};

const fileOf = (dir: string) => join(dir, "lab.json");

export function hasState(dir: string): boolean {
  return existsSync(fileOf(dir));
}

export function readState(dir: string): LabState {
  const state = JSON.parse(readFileSync(fileOf(dir), "utf8")) as LabState;
  if (state.version !== 1) throw new Error(`${fileOf(dir)} was written by another version of the lab.`);
  return state;
}

export function writeState(dir: string, state: LabState): void {
  mkdirSync(dir, { recursive: true });
  const fresh = `${fileOf(dir)}.${process.pid}`;
  writeFileSync(fresh, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(fresh, fileOf(dir));
}

/** Read, change, write under a lock: the demo and the CLI may both work on one lab. */
export async function updateState(dir: string, change: (state: LabState) => void): Promise<void> {
  const lock = await takeLock(join(dir, "state.lock"), 10_000);
  try {
    const state = readState(dir);
    change(state);
    writeState(dir, state);
  } finally {
    await lock.release();
  }
}
