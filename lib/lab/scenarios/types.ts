import type { FindingKind } from "#chain/model.ts";
import type { Lab } from "../lab.ts";
import type { RecordedCheckpoint } from "../state.ts";
import type { LabVm } from "../vm.ts";

/** A finding that must be there. A field that is left out must be absent in it. */
export type ExpectedFinding = {
  kind: FindingKind;
  checkpointId?: string;
  disk?: string;
  bitmap?: string;
  reason?: string;
  owner?: string;
};

/**
 * What the images hold when a scenario begins:
 * `stored` – all four checkpoints were stored by a clean stop;
 * `newest-unflushed` – cp4 was made since the last start and lives in QEMU's memory only.
 */
export type BaseKind = "stored" | "newest-unflushed";

/** One kind of drift, or of health that looks like drift. */
export type Scenario = {
  name: string;
  title: string;
  base: BaseKind;
  /** Needs a second host. */
  needsTwoHosts: boolean;
  /** Needs a lab whose canMigrate is true. */
  needsMigration: boolean;
  /** "event": libvirt tells of its last step, so a manager that listens reads the VM by itself. "observe": it must look. */
  trigger: "event" | "observe";
  /** Exactly these, from domain.md. */
  expected: ExpectedFinding[];
  /** No finding, but "cannot tell": for one disk, or (null) for the whole VM. */
  cannotTell?: { disk: string | null };
  apply(lab: Lab, vm: LabVm): Promise<void>;
};

export type Prepared = { vm: LabVm; record: RecordedCheckpoint[] };

export function scenario(
  given: Pick<Scenario, "name" | "title" | "trigger" | "expected" | "apply"> & Partial<Scenario>,
): Scenario {
  return { base: "stored", needsTwoHosts: false, needsMigration: false, ...given };
}

/** The same finding for several checkpoints; on a disk it is about the bitmap of each one's name. */
export function each(
  kind: FindingKind,
  checkpointIds: string[],
  rest: Omit<ExpectedFinding, "kind"> = {},
): ExpectedFinding[] {
  return checkpointIds.map((checkpointId) => {
    const bitmap = rest.disk === undefined ? {} : { bitmap: checkpointId };
    return { kind, checkpointId, ...bitmap, ...rest };
  });
}

export const ALL = ["cp1", "cp2", "cp3", "cp4"];
