/** What must hold before anything is planned. A guard answers with every refusal that it knows. */
import type { Observation } from "../model.ts";
import { isLive } from "../trust.ts";
import { observeErrorWords } from "../words/errors.ts";
import { refusal } from "./draft.ts";
import { findStuck, listedOf, type PlanFacts } from "./facts.ts";
import type { PlanInput, PlanRefusal } from "./model.ts";

const TWO_HOSTS = "The VM is active on two hosts. Nothing is changed on either until one of them is stopped.";

/** For every intent: nothing at all is changed while two hosts run the VM. */
export function guardVm({ findings, observation, activeElsewhere = [], hostId, request }: PlanInput): PlanRefusal[] {
  if (findings.some(({ kind }) => kind === "vm.two-hosts")) return [refusal("two-hosts", TWO_HOSTS)];
  const elsewhere = activeElsewhere.find((other) => other.hostId !== hostId);
  if (!elsewhere || request.intent === "repair-record") return [];
  const reason = isLive(observation)
    ? `${elsewhere.hostName} was seen to run the VM too. Nothing is changed until reads of both hosts say which one does.`
    : `The VM runs on ${elsewhere.hostName}. What this host says of it is no basis for a change.`;
  return [refusal("cannot-tell", reason)];
}

/** For everything but repair-record. */
export function guardRecord({ findings }: PlanInput): PlanRefusal[] {
  const broken = findings.some(({ kind }) => kind === "record.cycle" || kind === "record.missing-parent");
  return broken
    ? [refusal("record-broken", "The recorded links between checkpoints are broken. Repair them first.")]
    : [];
}

/** libvirt's list was read, the VM is known there, and no job holds it. */
export function guardHost({ observation, findings, request }: PlanInput, facts: PlanFacts): PlanRefusal[] {
  const refusals: PlanRefusal[] = [];
  if (observation.power === "unknown")
    refusals.push(refusal("cannot-tell", "libvirt did not say whether the VM runs."));
  if (!facts.host.ok) {
    const { message } = facts.host.error;
    refusals.push(refusal("cannot-tell", `libvirt's list of checkpoints could not be read: ${message}`));
  }
  if (!observation.job.ok) {
    if (observation.power !== "absent") {
      const reason = `It could not be read whether a job holds the VM: ${observation.job.error.message}`;
      refusals.push(refusal("cannot-tell", reason));
    }
    return refusals;
  }
  const { operation } = observation.job.value;
  if (operation !== "none" && operation !== "lost-backup") {
    refusals.push(refusal("job-running", jobWords(operation)));
  } else if (operation === "lost-backup" && request.intent === "backup") {
    refusals.push(refusal("job-running", LOST));
  } else if (findStuck(findings)) {
    const reason = "A backup is recorded as running that libvirt does not know. Close it first.";
    refusals.push(refusal("job-running", reason));
  }
  return refusals;
}

const LOST =
  "libvirt holds the VM for a backup that it lost when it was killed: stop the VM, restart libvirt, then start the VM.";

function jobWords(operation: string): string {
  return operation === "other" ? "A job of libvirt holds the VM." : `A ${operation} job of libvirt holds the VM.`;
}

/** Deleting acts on these disks, so that each of them must have been read. Disks that are not attached are not touched. */
export function guardRead(facts: PlanFacts, targets: Iterable<string>): PlanRefusal[] {
  const refusals: PlanRefusal[] = [];
  for (const target of [...new Set(targets)].sort()) {
    const layers = facts.disks.get(target)?.layers;
    if (!layers || layers.ok) continue;
    if (layers.error.code === "unreadable") {
      refusals.push(refusal("disk-unreadable", `QEMU cannot open the image of ${target}.`));
    } else {
      const { title } = observeErrorWords(layers.error.code);
      refusals.push(refusal("cannot-tell", `The bitmaps of ${target} could not be read: ${title}`));
    }
  }
  return refusals;
}

/** The attached disks on which a checkpoint has a bitmap as far as record and libvirt say; all where libvirt names none. */
export function touchedDisks(facts: PlanFacts, id: string): Set<string> {
  const listed = listedOf(facts, id);
  const everywhere = listed !== undefined && !listed.hasDisksElement;
  const covered = [...(facts.recorded.get(id)?.disks ?? []), ...(listed?.disks ?? [])].map(({ target }) => target);
  return new Set((everywhere ? [...facts.disks.keys()] : covered).filter((target) => facts.disks.has(target)));
}

export function isRunning({ power }: Observation): boolean {
  return power === "running" || power === "paused";
}
