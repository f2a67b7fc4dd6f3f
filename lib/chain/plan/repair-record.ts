/** The record itself is put right: links, disks that went, what a person accepts, a backup that ended unseen. */
import type { Finding, RecordCheckpoint } from "../model.ts";
import { type OrderOffence, orderCheckpoints } from "../order.ts";
import { OTHER_JOB } from "../words/findings.ts";
import * as words from "../words/plans.ts";
import { acceptImages } from "./accept-images.ts";
import { type DraftResult, drafted, refusal, refuse } from "./draft.ts";
import { findStuck, listedOf, type PlanFacts } from "./facts.ts";
import type { PlanAction, PlanInput, PlanLoss, PlanRefusal, PlanRequest } from "./model.ts";

type RepairRequest = Extract<PlanRequest, { intent: "repair-record" }>;
type Part = { actions: PlanAction[]; consequences: string[]; losses: PlanLoss[]; refusals: PlanRefusal[] };

export function planRepairRecord(input: PlanInput, facts: PlanFacts, request: RepairRequest): DraftResult {
  const parts = [
    repairBackup(input, request),
    repairLinks(facts, request.links),
    retireDisks(input, request.retireDisks),
    acceptFindings(input, request.acknowledge),
  ];
  const refusals = parts.flatMap((part) => part.refusals);
  if (refusals.length > 0) return refuse(...refusals);
  const actions = parts.flatMap((part) => part.actions);
  if (actions.length === 0) return refuse(refusal("nothing-to-do", "Nothing of the record needs repair."));
  return drafted({
    actions: [...actions, { verb: "prove" }],
    consequences: parts.flatMap((part) => part.consequences),
    losses: parts.flatMap((part) => part.losses),
    leastTier: parts.some((part) => part.losses.length > 0) ? 2 : 1,
  });
}

function part(given: Partial<Part>): Part {
  return { actions: [], consequences: [], losses: [], refusals: [], ...given };
}

/** A job that is aborted cannot be recorded as running any longer. */
function repairBackup({ findings }: PlanInput, { closeBackup, abortJob }: RepairRequest): Part {
  if (!closeBackup && !abortJob) return part({});
  const stuck = findStuck(findings);
  const offers = (remedy: "abort" | "close") => stuck?.remedies.includes(remedy) ?? false;
  const refusals: PlanRefusal[] = [];
  if (abortJob && !offers("abort")) {
    const reason = !stuck
      ? "No job is stuck."
      : stuck.reason === OTHER_JOB
        ? "The job is no backup. Whoever began it has to end it."
        : "libvirt has no job to abort. Close the backup instead.";
    refusals.push(refusal("not-offered", reason, "abortJob"));
  }
  if (closeBackup && !abortJob && stuck?.reason !== "no-such-job") {
    const reason = stuck ? "The job still runs. Abort it; the backup is closed with it." : "No backup is stuck.";
    refusals.push(refusal("not-offered", reason, "closeBackup"));
  }
  const closes = (closeBackup || abortJob) && offers("close");
  const id = stuck?.subject.checkpointId ?? null;
  return part({
    refusals,
    actions: [
      ...(abortJob ? [{ verb: "host.abort-job" } as const] : []),
      ...(closes ? [{ verb: "record.close-backup" } as const] : []),
    ],
    consequences: words.backupEnded(abortJob, closes, id),
    losses: abortJob ? [words.jobLoss(id)] : [],
  });
}

function retireDisks({ findings, record }: PlanInput, targets: readonly string[]): Part {
  const gone = new Set(findings.filter(({ kind }) => kind === "disk.gone").map(({ subject }) => subject.disk));
  const known = new Set([
    ...record.disks.map(({ target }) => target),
    ...record.checkpoints.flatMap(({ disks }) => disks.map(({ target }) => target)),
  ]);
  const refusals = targets.flatMap((target, index) => {
    if (gone.has(target)) return [];
    const field = `retireDisks[${index}]`;
    if (!known.has(target)) return [refusal("not-found", `The record has no disk ${target}.`, field)];
    return [refusal("not-offered", `Disk ${target} is not known to be gone.`, field)];
  });
  const disks = [...new Set(targets)];
  if (disks.length === 0) return part({ refusals });
  return part({
    refusals,
    actions: [{ verb: "record.retire-disks", disks }],
    consequences: [words.retired(disks)],
  });
}

/**
 * An image that was moved on purpose becomes the disk's image: were the finding only marked as accepted, the next image
 * put there would be accepted along with it.
 */
function acceptFindings(input: PlanInput, ids: readonly string[]): Part {
  const byFindingId = new Map(input.findings.map((finding) => [finding.id, finding]));
  const refusals: PlanRefusal[] = [];
  const accepted: Finding[] = [];
  ids.forEach((id, index) => {
    const finding = byFindingId.get(id);
    const field = `acknowledge[${index}]`;
    if (!finding) refusals.push(refusal("not-found", `There is no finding ${id} now.`, field));
    else if (!finding.remedies.includes("acknowledge")) {
      refusals.push(refusal("not-offered", `${id} cannot be accepted: it has to be put right.`, field));
    } else accepted.push(finding);
  });
  if (accepted.length === 0) return part({ refusals });
  const moved = accepted.filter(({ kind }) => kind === "disk.replaced");
  const disks = moved.flatMap(({ subject }) => (subject.disk === null ? [] : [subject.disk]));
  const others = accepted.filter(({ kind }) => kind !== "disk.replaced").map(({ id }) => id);
  const actions: PlanAction[] = [
    { verb: "record.acknowledge", findingIds: [...new Set(others)] },
    acceptImages(input, disks),
  ];
  return part({
    refusals,
    actions: actions
      .filter((action) => !("findingIds" in action) || action.findingIds.length > 0)
      .filter((action) => !("disks" in action) || action.disks.length > 0),
    consequences: words.accepted(others.length, disks),
    losses: [...new Set(disks)].map(words.statementLoss),
  });
}

/** libvirt's own parent where it is recorded and makes no circle, else none. A circle is cut above its oldest member. */
function repairLinks(facts: PlanFacts, wanted: boolean): Part {
  const order = orderCheckpoints(facts.record.checkpoints);
  if (!wanted || order.ok) return part({});
  const parents = new Map(facts.record.checkpoints.map((item) => [item.id, item.parentId]));
  const broken = order.offences.flatMap(brokenLink);
  // First all are cut, so that looking for a parent always ends.
  for (const id of broken) parents.set(id, null);
  const items = broken.map((checkpointId) => {
    const parentId = nearestRecorded(facts, checkpointId, parents);
    parents.set(checkpointId, parentId);
    return { checkpointId, parentId };
  });
  return part({ actions: [{ verb: "record.relink", items }], consequences: [words.relinked(items)] });
}

function brokenLink(offence: OrderOffence): string[] {
  if (offence.kind === "missing-parent") return [offence.id];
  return offence.kind === "cycle" ? offence.ids.slice(0, 1) : [];
}

function nearestRecorded(
  facts: PlanFacts,
  id: string,
  parents: ReadonlyMap<string, RecordCheckpoint["parentId"]>,
): string | null {
  const seen = new Set<string>([id]);
  let at = listedOf(facts, id)?.parentId ?? null;
  while (at !== null && !seen.has(at)) {
    seen.add(at);
    if (facts.recorded.has(at)) return isBelow(at, id, parents) ? null : at;
    at = listedOf(facts, at)?.parentId ?? null;
  }
  return null;
}

function isBelow(id: string, ancestor: string, parents: ReadonlyMap<string, string | null>): boolean {
  let at: string | null = id;
  while (at !== null) {
    if (at === ancestor) return true;
    at = parents.get(at) ?? null;
  }
  return false;
}
