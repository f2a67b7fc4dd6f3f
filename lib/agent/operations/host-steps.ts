/** The small steps of which the changing operations are made; libvirt and the simulated host each do them. */
import type { Observation } from "#chain/model.ts";
import type { HostError } from "#contract/agent-operations.ts";

/** The one run of a domain that a call works on; null: it does not run. */
export type Pin = { vmId: string; runtimeId: string | null };

export type Define = {
  do: "define";
  id: string;
  parentId: string | null;
  createdAt: string;
  /** null: no disks element at all. Only ever to put back what was there. */
  disks: { target: string; bitmap: string }[] | null;
  /** libvirt looks at the bitmaps itself and refuses: for hosts on which nobody else may. A domain that runs only. */
  validate?: boolean;
};
/** With its bitmaps, which only a domain that runs allows, or the metadata alone. One that is not there counts as done. */
export type Delete = { do: "delete"; id: string; metadataOnly: boolean };
/** Gives a checkpoint another parent and leaves the rest of its definition as it is. */
export type Reparent = { do: "reparent"; id: string; parentId: string };
export type Change = Define | Delete | Reparent;

/** The first `done` changes are done; `error` is that of the next one, null when all are done. */
export type ChangeOutcome = { done: number; error: HostError | null };

export type ImageBitmap = { path: string; format: string; bitmap: string };

export type HostSteps = {
  /** A fresh, complete read. @throws HostFailure, ProblemError not_found */
  observe(vmId: string): Promise<Observation>;
  /**
   * Makes the changes in order, until the first that fails. Looks first whether it is still that run and whether a job
   * is on the domain, and removes a temporary definition that a killed run has left.
   * @throws HostFailure `domain-changed`, `lock-held` before the first change; any other when nobody can say how many
   * of the changes were made: read the host before anything else
   */
  change(pin: Pin, changes: Change[]): Promise<ChangeOutcome>;
  /** Removes a bitmap from one image of a domain that does not run, under the image's own lock. null: it is gone. */
  removeImageBitmap(pin: Pin, image: ImageBitmap): Promise<HostError | null>;
};

export { TEMPORARY_CHECKPOINT } from "#chain/names.ts";
