/** Plans, jobs, backups and hosts as plain text for tickets and calls: the same thing gives the same text. */
import { subjectOfId } from "#chain/findings/id.ts";
import { findingTitle, verdictLine } from "#chain/words.ts";
import type { Host, PlanView } from "#contract/engine.ts";
import type { BackupView } from "#contract/engine-backups.ts";
import type { JobView } from "#contract/engine-jobs.ts";
import { formatBytes, toIsoUtc } from "./format.ts";
import { workTitle } from "./intents.ts";
import { findUnforeseen } from "./proof.ts";
import { skewText } from "./skew.ts";
import {
  BACKUP_KIND_WORDS,
  BACKUP_STATE_WORDS,
  countWords,
  JOB_STATE_WORDS,
  PLAN_STATE_WORDS,
  STEP_STATE_WORDS,
  tierWord,
  verbLabel,
} from "./work-words.ts";

type Line = readonly [label: string, text: string | null | undefined];

const fields = (lines: readonly Line[]): string[] =>
  lines.flatMap(([label, text]) => (text ? [`${`${label}:`.padEnd(14)}${text}`] : []));

/** A heading and its lines, indented; nothing where there is none. */
const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)];

const time = (iso: string | null): string | null => iso && toIsoUtc(iso);
const size = (bytes: number | null): string => (bytes === null ? "size not told" : formatBytes(bytes));

/** `state` as the page shows it: a plan that stands open expires before the server is asked again. */
export function planAsText(plan: PlanView, state: PlanView["state"], url: string): string {
  const { basis, tier } = plan;
  return [
    `[${PLAN_STATE_WORDS[state].label}] ${workTitle(plan.intent, plan.vmName)}`,
    ...fields([
      ["Plan", plan.id],
      ["VM", `${plan.vmName} (${plan.vmId})`],
      ["Host", basis.hostName],
      ["Tier", `T${tier}, ${tierWord(tier).label.toLowerCase()}`],
      ["Made", `${time(plan.createdAt)} by ${plan.createdBy}, until ${time(plan.expiresAt)}`],
      [
        "Stands on",
        `read of ${time(basis.observedAt)}, digest ${basis.observationDigest.slice(0, 16)}, record revision ${basis.recordRevision}`,
      ],
      [
        "Counts",
        countWords(plan.counts)
          .map(({ sign, word, count }) => `${sign} ${word} ${count}`)
          .join(", "),
      ],
      ["Job", plan.jobId],
    ]),
    ...section("Would happen", plan.consequences),
    ...section(
      "Would be lost",
      plan.losses.map(({ text }) => text),
    ),
    ...section(
      "Next backup now and afterwards",
      plan.costs.flatMap(({ now, after }) => [verdictLine(now), `  → ${verdictLine(after)}`]),
    ),
    ...section(
      "Has changed since",
      plan.changes.map(({ what, was, is }) => `${what}: ${was} → ${is}`),
    ),
    ...section(
      "Steps",
      plan.steps.flatMap((step) => [`${step.n}. ${verbLabel(step)}: ${step.subject}`, `   ${step.call}`]),
    ),
    ...fields([["Link", url]]),
  ].join("\n");
}

function stepLines(step: JobView["steps"][number], isOver: boolean): string[] {
  const state = isOver && step.state === "queued" ? "Not reached" : STEP_STATE_WORDS[step.state].label;
  return [
    `${step.n}. [${state}] ${verbLabel(step)}: ${step.subject}`,
    `   ${step.call}`,
    ...(step.outcome ? [`   → ${step.outcome}`] : []),
    ...(step.error ? [`   ${step.error}`] : []),
    ...(step.hostMessage ? [`   The host says: “${step.hostMessage}”`] : []),
  ];
}

const titleOf = (id: string): string => findingTitle(subjectOfId(id));

function proofLines(proof: JobView["proof"]): string[] {
  if (!proof) return [];
  return [
    `read ${time(proof.observedAt)}, ${proof.agreement}, digest ${proof.digest.slice(0, 16)}`,
    ...proof.gone.map((id) => `gone, as promised: ${titleOf(id)}`),
    ...proof.left.map((id) => `still there: ${titleOf(id)}`),
    ...proof.remains.map((words) => `still on the host: ${words}`),
    ...findUnforeseen(proof).map((id) => `new, and not foreseen: ${titleOf(id)}`),
    ...proof.foreseen.map((id) => `new, as foreseen: ${titleOf(id)}`),
  ];
}

export function jobAsText(job: JobView, url: string): string {
  const isOver = job.endedAt !== null;
  return [
    `[${JOB_STATE_WORDS[job.state].label}] ${workTitle(job.kind, job.vmName)}`,
    ...fields([
      ["Job", job.id],
      ["VM", `${job.vmName} (${job.vmId})`],
      ["By", job.actor],
      ["Reason", job.reason],
      ["Asked for", time(job.createdAt)],
      ["Started", time(job.startedAt)],
      ["Ended", time(job.endedAt)],
      ["Lost contact", job.lostContactSince && `since ${time(job.lostContactSince)}`],
      ["Cancelled", job.cancelRequestedAt && `asked for at ${time(job.cancelRequestedAt)}`],
      ["Error", job.error],
      ["Steps done", `${job.stepsDone} of ${job.stepsTotal}`],
    ]),
    ...section(
      "Steps",
      job.steps.flatMap((step) => stepLines(step, isOver)),
    ),
    ...section(
      "Disks",
      job.disks.map(({ target, mode, bytes, path }) => `${target}: ${mode}, ${size(bytes)}, ${path ?? "no file yet"}`),
    ),
    ...section("Proof", proofLines(job.proof)),
    ...(job.proof || !isOver ? [] : fields([["Proof", "none: the host was not read afterwards"]])),
    ...fields([["Link", url]]),
  ].join("\n");
}

export function backupAsText(backup: BackupView, vmName: string, url: string): string {
  const { verified } = backup;
  return [
    `[${BACKUP_STATE_WORDS[backup.state].label}] ${BACKUP_KIND_WORDS[backup.kind]} backup of ${vmName}`,
    ...fields([
      ["Backup", backup.id],
      ["VM", `${vmName} (${backup.vmId})`],
      ["Checkpoint", backup.checkpointId],
      ["Started", time(backup.startedAt)],
      ["Ended", time(backup.endedAt)],
      ["Size", size(backup.bytes)],
      ["Error", backup.error],
      [
        "Restore",
        verified ? `${verified.ok ? "proved" : "failed"} ${time(verified.at)}: ${verified.detail}` : "never verified",
      ],
      ["Job", backup.jobId],
    ]),
    ...section(
      "Files",
      backup.disks.flatMap((disk) => [
        `${disk.target}: ${disk.mode}${disk.base ? ` from ${disk.base}` : ""}, ${size(disk.bytes)}`,
        `  file       ${disk.path ?? "none"}`,
        ...(disk.backing ? [`  on top of  ${disk.backing}`] : []),
        `  SHA-256    ${disk.sha256 ?? "not recorded"}`,
      ]),
    ),
    ...fields([["Link", url]]),
  ].join("\n");
}

export function hostAsText(host: Host, url: string): string {
  const unknown = "cannot tell";
  return [
    `[${host.state}] Host ${host.name}${host.kind === "simulated" ? " (simulated)" : ""}`,
    ...fields([
      ["Host", host.id],
      ["Address", host.url],
      ["Last contact", time(host.lastContactAt) ?? "never"],
      ["Last sweep", time(host.lastSweepAt) ?? "never"],
      ["libvirt", host.libvirtVersion ?? unknown],
      ["QEMU", host.qemuVersion ?? unknown],
      ["Agent", host.agentVersion ?? unknown],
      ["Clock", host.clockSkewMs === null ? unknown : skewText(host.clockSkewMs)],
      ["VMs", String(host.vms)],
      ["Known by", host.origin === "configuration" ? "DRIFTLINE_CONFIG" : `pairing of ${time(host.pairedAt)}`],
      ["Error", host.error && `${host.error.code}: ${host.error.message}`],
      ["It says", host.error?.hostMessage && `“${host.error.hostMessage}”`],
    ]),
    ...section(
      "Switched off",
      host.switchedOff.map(({ what, why }) => `${what}: ${why}`),
    ),
    ...fields([["Link", url]]),
  ].join("\n");
}
