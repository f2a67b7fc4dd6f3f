/** What the contract's tests need of a host, and how they read what an agent says of it. */
import type { Observation } from "#chain/model.ts";
import type { ObserveItem } from "#contract/agent.ts";
import type { AgentClient } from "./agent-client.ts";

/** A host with two domains of two 64 MiB qcow2 disks each, and what can be done to it from behind the agent's back. */
export type Rig = {
  agent: AgentClient;
  kind: "libvirt" | "simulated";
  /** A folder for backups that the agent's configuration lists; QEMU may write to it. */
  repository: string;
  /** Runs, with the checkpoints cp1 and cp2 on both disks. */
  running: string;
  /** Is stopped, with nothing on its disks. */
  stopped: string;
  start(vmId: string): Promise<void>;
  stop(vmId: string): Promise<void>;
  kill(vmId: string): Promise<void>;
  write(vmId: string, target: string, offset: number, lengthBytes: number): Promise<void>;
  checkpoint(vmId: string, id: string): Promise<void>;
  /** Persistent and recording; by QMP while the domain runs. */
  addBitmap(vmId: string, target: string, name: string): Promise<void>;
  removeBitmap(vmId: string, target: string, name: string): Promise<void>;
  /** One more domain of the same two disks; it runs and has nothing on them. */
  newVm(name: string): Promise<string>;
  /** Bitmaps of these names on both disks of a running domain. */
  addBitmaps(vmId: string, names: string[]): Promise<void>;
  /** A definition as anybody could give it to the host. `disks` null: none. */
  defineAsIs(vmId: string, definition: RawDefinition): Promise<void>;
  /** A job that holds the domain until the returned function ends it. */
  holdJob(vmId: string): Promise<() => Promise<void>>;
  disconnect(): Promise<void>;
  reconnect(): Promise<void>;
  close(): Promise<void>;
};

export type RawDefinition = {
  id: string;
  parentId: string | null;
  disks: { target: string; bitmap: string }[] | null;
};

export function observationOf(item: ObserveItem): Observation {
  if (item.type !== "observation") throw new Error(`expected an observation, got ${JSON.stringify(item)}`);
  return item.observation;
}
export function bitmapsOf(observation: Observation, target: string) {
  const layers = observation.disks.find((disk) => disk.target === target)?.layers;
  if (!layers?.ok) throw new Error(`${target} could not be read: ${JSON.stringify(layers)}`);
  return layers.value.flatMap((layer) => layer.bitmaps);
}
export function checkpointsOf({ checkpoints }: Observation) {
  if (!checkpoints.ok) throw new Error(`the list could not be read: ${JSON.stringify(checkpoints)}`);
  return checkpoints.value;
}
