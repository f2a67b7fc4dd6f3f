import { join } from "node:path";
import { MARK } from "./processes.ts";
import { type LabState, readState, updateState, type VmState } from "./state.ts";
import type { Account } from "./tools.ts";

/** What every part of an open lab shares. The state lives in its file, so that two processes see the same. */
export type LabContext = {
  dir: string;
  token: string;
  account: Account | null;
  /** For tools: our mark, and messages in English whatever the user's language. */
  environment: NodeJS.ProcessEnv;
  state(): LabState;
  update(change: (state: LabState) => void): Promise<void>;
};

export function openContext(dir: string): LabContext {
  const { token, account } = readState(dir);
  return {
    dir,
    token,
    account,
    environment: { ...process.env, LC_ALL: "C", [MARK]: token },
    state: () => readState(dir),
    update: (change) => updateState(dir, change),
  };
}

export const diskFolder = (dir: string) => join(dir, "disks");
export const repositoryFolder = (dir: string) => join(dir, "repository");

export function vmState(lab: LabContext, id: string): VmState {
  const vm = lab.state().vms.find((entry) => entry.id === id);
  if (vm === undefined) throw new Error(`This lab has no VM ${id}.`);
  return vm;
}

export async function changeVm(lab: LabContext, id: string, change: (vm: VmState) => void): Promise<void> {
  await lab.update((state) => {
    const vm = state.vms.find((entry) => entry.id === id);
    if (vm === undefined) throw new Error(`This lab has no VM ${id}.`);
    change(vm);
  });
}
