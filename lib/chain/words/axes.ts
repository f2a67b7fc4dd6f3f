/** The words of the three axes and of the small states. Each value has a letter and a word; colour never stands alone. */
import type { Agreement, Freshness, NextBackup, Power, Severity, VerdictWord } from "../model.ts";

/** `letter` is unique within its axis; `hint` is one sentence. */
export type Label = { label: string; letter: string; hint: string };

export const AGREEMENT_LABELS: Readonly<Record<Agreement, Label>> = {
  agrees: { label: "Agrees", letter: "A", hint: "Record, libvirt and disks tell the same story." },
  differs: { label: "Differs", letter: "D", hint: "Record, libvirt and disks do not tell the same story." },
  unknown: { label: "Cannot tell", letter: "?", hint: "Not everything could be read, so that nothing is claimed." },
  checking: {
    label: "Checking",
    letter: "C",
    hint: "A job of this VM is not over. What it changes is not compared yet.",
  },
};

export const NEXT_BACKUP_LABELS: Readonly<Record<NextBackup, Label>> = {
  incremental: { label: "Incremental", letter: "I", hint: "Every disk has a healthy base." },
  mixed: { label: "Mixed", letter: "M", hint: "Incremental for some disks, full for others." },
  full: { label: "Full", letter: "F", hint: "No disk has a base that can be used." },
  blocked: { label: "Blocked", letter: "B", hint: "No right backup can start until something is repaired." },
  unknown: { label: "Cannot tell", letter: "?", hint: "The host was not read completely." },
};

export const FRESHNESS_LABELS: Readonly<Record<Freshness, Label>> = {
  fresh: { label: "Fresh", letter: "F", hint: "Read within the usual interval." },
  ageing: { label: "Ageing", letter: "A", hint: "Older than usual, still within the limit." },
  stale: {
    label: "Stale",
    letter: "S",
    hint: "Too old, or the last attempt to read it failed: it may no longer be so.",
  },
  offline: {
    label: "Host offline",
    letter: "O",
    hint: "The host does not answer. Shown is what was known before.",
  },
};

export const VERDICT_LABELS: Readonly<Record<VerdictWord, Label>> = {
  incremental: { label: "Incremental", letter: "I", hint: "Only what changed since the base." },
  full: { label: "Full", letter: "F", hint: "The whole disk." },
  blocked: { label: "Blocked", letter: "B", hint: "Repair first." },
  unknown: { label: "Cannot tell", letter: "?", hint: "This disk was not read." },
};

export const SEVERITY_LABELS: Readonly<Record<Severity, Label>> = {
  loss: { label: "Loss", letter: "L", hint: "A backup could succeed with wrong data in it." },
  block: { label: "Block", letter: "B", hint: "No backup, or no incremental one, can start." },
  full: { label: "Full", letter: "F", hint: "Forces a full backup of a disk." },
  waste: { label: "Waste", letter: "W", hint: "Costs space or speed." },
  note: { label: "Note", letter: "N", hint: "Worth knowing, harmless." },
};

export const POWER_LABELS: Readonly<Record<Power, Label>> = {
  running: { label: "Running", letter: "R", hint: "The VM runs." },
  paused: { label: "Paused", letter: "P", hint: "The VM is paused; its process is there." },
  "shut-off": { label: "Shut off", letter: "S", hint: "The VM is stopped." },
  absent: {
    label: "Absent",
    letter: "A",
    hint: "This host does not know the VM. Its record stands; its next start is watched.",
  },
  unknown: { label: "Cannot tell", letter: "?", hint: "The host did not say." },
};
