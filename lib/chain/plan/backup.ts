/** A backup with a mode per disk and the checkpoint that it makes. */
import type { DiskVerdict } from "../model.ts";
import { currentLine } from "../order.ts";
import { nextBackup } from "../verdict.ts";
import * as words from "../words/plans.ts";
import { verdictReasonWords } from "../words/verdicts.ts";
import { type DraftResult, drafted, refusal, refuse } from "./draft.ts";
import { hasBitmap, listedOf, type PlanFacts } from "./facts.ts";
import { guardHost, isRunning } from "./guards.ts";
import type { PlanInput, PlanRefusal, PlanRequest } from "./model.ts";

type BackupRequest = Extract<PlanRequest, { intent: "backup" }>;
export type BackupDisk = {
  target: string;
  mode: "full" | "incremental";
  base: string | null;
  inCheckpoint: boolean;
  /** Why it is full, in words; null where that was asked for. */
  why: string | null;
  estimatedBytes: number | null;
};
type Choice = { disk: BackupDisk } | { skipped: string; why: string } | { refused: PlanRefusal };

export function planBackup(input: PlanInput, facts: PlanFacts, request: BackupRequest): DraftResult {
  const refusals = [...guardPower(input), ...guardHost(input, facts), ...guardName(input, facts)];
  const verdictsOf = (given: PlanInput) => new Map(nextBackup(given).map((verdict) => [verdict.disk, verdict]));
  const verdicts = verdictsOf(input);
  const backed = verdictsOf({ ...input, record: withFiles(input) });
  const disks: BackupDisk[] = [];
  const skipped: { disk: string; why: string }[] = [];
  const targets = request.disks ? [...new Set(request.disks)] : [...facts.disks.keys()].sort();
  targets.forEach((target, index) => {
    const field = request.disks ? `disks[${index}]` : null;
    const choice = chooseMode(input, facts, request, target, verdicts.get(target), backed.get(target), field);
    if ("disk" in choice) disks.push(choice.disk);
    else if ("refused" in choice) refusals.push(choice.refused);
    else skipped.push({ disk: choice.skipped, why: choice.why });
  });
  if (refusals.length === 0 && disks.length === 0) {
    const [first] = skipped;
    refusals.push(
      first
        ? refusal("disk-unreadable", `No disk can be backed up. ${first.disk}: ${first.why}`)
        : refusal("nothing-to-do", "The VM has no writable disk."),
    );
  }
  if (refusals.length > 0) return refuse(...refusals);
  const checkpointId = input.newCheckpointId;
  return drafted({
    actions: [
      {
        verb: "host.backup",
        checkpointId,
        parentId: parentOf(input),
        disks: disks.map(({ target, mode, base, inCheckpoint }) => ({ target, mode, base, inCheckpoint })),
        repository: request.repository,
        fallback: request.mode === "auto",
      },
      { verb: "prove" },
    ],
    consequences: words.backedUp(checkpointId, disks, skipped, input.policy.digestBackups ?? false),
    losses: [],
  });
}

/**
 * The record with only those bases that an increment can be put on here. Somebody else's newer checkpoint, or one whose
 * file lies on another host, does not make an older good base worse: its bitmap holds every write since, on its own.
 */
function withFiles({ record, restorePoints }: PlanInput): PlanInput["record"] {
  const checkpoints = record.checkpoints.map((item) => ({
    ...item,
    disks: item.disks.filter(({ target }) => restorePoints.has(`${item.id}|${target}`)),
  }));
  return { ...record, checkpoints };
}

/** Where no checkpoint is active, those that are left go, and the new one is a root. */
function parentOf({ record }: PlanInput): string | null {
  const tip = currentLine(record).at(-1);
  return tip?.state === "active" ? tip.id : null;
}

function guardPower({ observation }: PlanInput): PlanRefusal[] {
  if (isRunning(observation) || observation.power === "unknown") return [];
  return [refusal("not-running", "libvirt backs up running VMs only. Start it first.")];
}

/** The name must be free everywhere: libvirt would take over a bitmap or a checkpoint of that name. */
function guardName({ newCheckpointId: id }: PlanInput, facts: PlanFacts): PlanRefusal[] {
  const isTaken =
    facts.recorded.has(id) ||
    listedOf(facts, id) !== undefined ||
    [...facts.disks.keys()].some((t) => hasBitmap(facts, t, id));
  return isTaken ? [refusal("in-use", `The name ${id} of the new checkpoint is taken. Try again.`)] : [];
}

function chooseMode(
  input: PlanInput,
  facts: PlanFacts,
  { mode, disks }: BackupRequest,
  target: string,
  verdict: DiskVerdict | undefined,
  /** As if only those were bases that have a file here. */
  backed: DiskVerdict | undefined,
  field: string | null,
): Choice {
  const disk = facts.disks.get(target);
  if (!disk || !verdict) {
    return { refused: refusal("not-found", `The VM has no writable disk ${target}.`, field) };
  }
  const unreadable = !disk.layers.ok && disk.layers.error.code === "unreadable";
  if (unreadable) {
    const why = "QEMU cannot open the image.";
    // Nobody asked for this one: the others are not left without a backup because of it.
    if (disks === null && mode !== "incremental") return { skipped: target, why };
    return { refused: refusal("disk-unreadable", `${target}: ${why}`, field) };
  }
  const full = (why: string | null): Choice => ({
    disk: { target, mode: "full", base: null, inCheckpoint: disk.unsupported === null, why, estimatedBytes: null },
  });
  if (mode === "full") return full(null);
  const reason = verdict.reason === null ? "" : verdictReasonWords(verdict.reason);
  const noBase = (why: string): Choice => ({ refused: refusal("no-base", `${target}: ${why}`, field) });
  switch (verdict.verdict) {
    case "full":
      return mode === "auto" ? full(reason) : noBase(reason);
    case "blocked":
      return noBase(reason);
    case "unknown": {
      const forbidden = !disk.layers.ok && disk.layers.error.code === "qmp-forbidden";
      // This host never tells: without a full of it there would never be a backup.
      if (forbidden && mode === "auto") return full(reason);
      return { refused: refusal(mode === "auto" ? "cannot-tell" : "no-base", `${target}: ${reason}`, field) };
    }
    default: {
      const { from: base, estimatedBytes } = backed?.verdict === "incremental" ? backed : verdict;
      if (base === null || !input.restorePoints.has(`${base}|${target}`)) {
        const why = words.noRestorePoint(base);
        return mode === "auto" ? full(why) : noBase(why);
      }
      return { disk: { target, mode: "incremental", base, inCheckpoint: true, why: null, estimatedBytes } };
    }
  }
}
