/** How plans, jobs and backups are called for people. */
import type { BackupState } from "#chain/model.ts";
import type { PlanTier, PlanVerb, StepPlace } from "#chain/plan/model.ts";
import type { PlanView } from "#contract/engine.ts";
import type { BackupView } from "#contract/engine-backups.ts";
import type { JobRow, JobView } from "#contract/engine-jobs.ts";
import type { Tone } from "./words.ts";

type Word = { label: string; hint: string };

const VERB_WORDS: Readonly<Record<PlanVerb, string>> = {
  "host.redefine": "Define",
  "host.delete-checkpoints": "Delete checkpoint",
  "host.delete-bitmaps": "Delete bitmap",
  "host.abort-job": "Abort job",
  "host.backup": "Back up",
  "record.mark-deleting": "Mark as going",
  "record.delete": "Forget",
  "record.drop-disks": "Stop covering",
  "record.adopt": "Record",
  "record.relink": "Link",
  "record.accept-images": "Accept image",
  "record.retire-disks": "Retire disk",
  "record.acknowledge": "Acknowledge",
  "record.close-backup": "Close backup",
  prove: "Prove",
};
/** What a step does. An action on the host may have steps in the record: those only write down. */
export function verbLabel({ verb, place }: { verb: string; place: StepPlace }): string {
  if (place === "record" && !verb.startsWith("record.")) return "Record";
  return verb in VERB_WORDS ? VERB_WORDS[verb as PlanVerb] : verb;
}

const TIER_WORDS: Readonly<Record<PlanTier, Word & { tone: Tone }>> = {
  0: { label: "Reads only", hint: "Nothing is changed.", tone: "mute" },
  1: { label: "Loses nothing", hint: "Changes only what can be made again.", tone: "info" },
  2: { label: "Loses increments", hint: "Something is gone for good afterwards.", tone: "warn" },
  3: { label: "Loses a chain", hint: "A whole chain, a last base, or many VMs at once.", tone: "bad" },
};
export const tierWord = (tier: number) => TIER_WORDS[(tier in TIER_WORDS ? tier : 3) as PlanTier];

export const PLAN_STATE_WORDS: Readonly<Record<PlanView["state"], Word & { tone: Tone }>> = {
  ready: { label: "Ready", hint: "It can be applied.", tone: "info" },
  applied: { label: "Applied", hint: "Its job says what came of it; a plan runs at most once.", tone: "mute" },
  expired: { label: "Expired", hint: "It was not applied in time.", tone: "mute" },
  "out-of-date": { label: "Out of date", hint: "What it stands on has changed.", tone: "warn" },
};

export const JOB_STATE_WORDS: Readonly<Record<JobRow["state"], Word & { tone: Tone }>> = {
  queued: { label: "Queued", hint: "It waits for a free worker.", tone: "mute" },
  running: { label: "Running", hint: "Its steps are being done.", tone: "info" },
  succeeded: { label: "Succeeded", hint: "Every step is done and was proved.", tone: "ok" },
  failed: { label: "Failed", hint: "A step could not be done; what was done stays.", tone: "bad" },
  cancelled: { label: "Cancelled", hint: "Somebody stopped it; what was done stays.", tone: "mute" },
  lost: { label: "Lost contact", hint: "Its host does not answer; what happens there is not known.", tone: "warn" },
};
export const STEP_STATE_WORDS: Readonly<Record<JobView["steps"][number]["state"], { label: string; tone: Tone }>> = {
  queued: { label: "Waiting", tone: "mute" },
  running: { label: "Running", tone: "info" },
  succeeded: { label: "Done", tone: "ok" },
  failed: { label: "Failed", tone: "bad" },
  skipped: { label: "Skipped", tone: "mute" },
};

export const BACKUP_KIND_WORDS: Readonly<Record<BackupView["kind"], string>> = {
  full: "Full",
  incremental: "Incremental",
  mixed: "Mixed",
};
export const BACKUP_STATE_WORDS: Readonly<Record<BackupState, { label: string; tone: Tone }>> = {
  running: { label: "Running", tone: "info" },
  finished: { label: "Finished", tone: "ok" },
  failed: { label: "Failed", tone: "bad" },
  aborted: { label: "Aborted", tone: "mute" },
};

/** `+ define 3 − delete 2 × bitmap 1 ! full 1`: only what is not zero. */
export function countWords(counts: PlanView["counts"]): { sign: string; word: string; count: number; tone: Tone }[] {
  const all = [
    { sign: "+", word: "define", count: counts.define, tone: "info" },
    { sign: "~", word: "replace", count: counts.replace, tone: "info" },
    { sign: "−", word: "delete", count: counts.deleteCheckpoints, tone: "bad" },
    { sign: "×", word: "bitmap", count: counts.deleteBitmaps, tone: "bad" },
    { sign: "=", word: "record", count: counts.recordChanges, tone: "mute" },
    { sign: "!", word: "full", count: counts.fullDisks, tone: "warn" },
    { sign: "▸", word: "incremental", count: counts.incrementalDisks, tone: "ok" },
  ] as const;
  return all.filter(({ count }) => count > 0);
}

/** What stays when a job of this kind is stopped now. */
export function whatStays(job: Pick<JobRow, "kind" | "stepsDone" | "stepsTotal">): string[] {
  const done =
    job.stepsDone === 0
      ? "No step is done yet."
      : `${job.stepsDone} of ${job.stepsTotal} steps are done and stay done; nothing is taken back.`;
  if (job.kind === "backup") {
    return [
      "The backup on the host is aborted. Its files and its checkpoint are removed, and it never becomes a base.",
      "Earlier backups and checkpoints stay as they are.",
    ];
  }
  if (job.kind === "redefine")
    return [
      "The running step is ended first.",
      done,
      "Checkpoints defined so far stay defined. Planning again goes on from there.",
    ];
  return [
    "The running step is ended first.",
    done,
    "What is marked as going stays out of use until a later plan finishes it; the VM’s page lists it.",
  ];
}
