/** Remove the least that makes the three witnesses agree. */
import type { Finding } from "../model.ts";
import * as words from "../words/plans.ts";
import { acceptImages } from "./accept-images.ts";
import { definitionsOf } from "./definitions.ts";
import { deletionOf, leafToRoot } from "./deletion.ts";
import { type DraftResult, drafted, refusal, refuse } from "./draft.ts";
import {
  type CoverState,
  countsHere,
  coverState,
  hasBitmap,
  isHealthyState,
  listedOf,
  type PlanFacts,
  planFacts,
} from "./facts.ts";
import { guardHost, guardRead, touchedDisks } from "./guards.ts";
import type { BitmapName, PlanAction, PlanInput, PlanRefusal, PlanRequest } from "./model.ts";
import { simulateAll } from "./simulate.ts";

type HealRequest = Extract<PlanRequest, { intent: "heal" }>;

export function planHeal(input: PlanInput, facts: PlanFacts, request: HealRequest): DraftResult {
  const chosen = choose(input, request);
  const refusals = [...guardHost(input, facts), ...chosen.refusals];
  if (refusals.length > 0) return refuse(...refusals);
  const all = request.findings === null;
  const added = input.findings.filter(({ kind }) => kind === "disk.added").map(({ subject }) => subject.disk);
  const damage = damageOf(facts, chosen.findings, request.mode, all ? new Set(added) : null);
  const named = [...damage.whole, ...damage.partial.map(({ checkpointId }) => checkpointId)];
  const unread = guardRead(facts, [...named.flatMap((id) => [...touchedDisks(facts, id)]), ...damage.quarantined]);
  if (unread.length > 0) return refuse(...unread);

  const { head, tail } = actionsOf(input, facts, damage);
  const healed = planFacts(simulateAll(facts, [...head, ...tail]));
  const { list, define, replace } = definitionsOf(healed, "salvage");
  // Definitions that name a bitmap which has gone are made to name what remains.
  const isListed = damage.partial.some(({ checkpointId }) => listedOf(healed, checkpointId) !== undefined);
  const isAsked = all || chosen.findings.some(({ kind }) => kind.startsWith("metadata."));
  const isNeeded = define.length + replace.length > 0 && (isAsked || isListed);
  const redefine: PlanAction[] = isNeeded ? [{ verb: "host.redefine", mode: "salvage", checkpoints: list }] : [];
  const actions = [...head, ...redefine, ...tail];
  const result = drafted({
    actions: [...actions, { verb: "prove" }],
    consequences: [
      ...words.healed(damage),
      ...(redefine.length > 0 ? [words.defined(define, replace)] : []),
      ...(chosen.accepted > 0 ? [words.acceptedLeft(chosen.accepted)] : []),
    ],
    losses: words.healLosses(damage),
    leastTier: damage.quarantined.length > 0 ? 3 : undefined,
  });
  if (result.ok && result.draft.actions.length > 1) return result;
  return refuse(refusal("nothing-to-do", "Nothing that was read needs healing."));
}

/** The findings to act on; each that was named must exist and offer it. */
function choose({ findings }: PlanInput, request: HealRequest) {
  const refusals: PlanRefusal[] = [];
  const offers = (finding: Finding) => finding.remedies.includes("heal");
  if (request.findings === null) {
    const offered = findings.filter(offers);
    // What a person accepted, an image that was moved on purpose for instance, is taken only by name.
    const standing = offered.filter((finding) => !finding.acknowledged);
    return { findings: standing, refusals, accepted: offered.length - standing.length };
  }
  const byFindingId = new Map(findings.map((finding) => [finding.id, finding]));
  const named: Finding[] = [];
  request.findings.forEach((id, index) => {
    const finding = byFindingId.get(id);
    const field = `findings[${index}]`;
    if (!finding) refusals.push(refusal("not-found", `There is no finding ${id} now.`, field));
    else if (!offers(finding)) refusals.push(refusal("not-offered", `Healing does not help against ${id}.`, field));
    else named.push(finding);
  });
  return { findings: named, refusals, accepted: 0 };
}

export type Damage = {
  /** Checkpoints that go whole. */
  whole: Set<string>;
  /** Checkpoints that lose a disk and keep others. */
  partial: { checkpointId: string; disk: string }[];
  /** Disks that lose every checkpoint. */
  quarantined: string[];
  /** Begun by an earlier plan and not ended. */
  leftovers: { checkpoints: string[]; bitmaps: BitmapName[] };
};

/** `added`: disks that no leftover is looked for on; null: leftovers are not looked for at all. */
function damageOf(
  facts: PlanFacts,
  findings: readonly Finding[],
  mode: HealRequest["mode"],
  added: ReadonlySet<string | null> | null,
): Damage {
  const lost = new Map<string, Set<string>>();
  const lose = (id: string, disk: string) => {
    const disks = lost.get(id);
    if (disks) disks.add(disk);
    else lost.set(id, new Set([disk]));
  };
  const quarantined = new Set<string>();
  for (const { kind, subject } of findings) {
    if (kind.startsWith("metadata.") && subject.checkpointId !== null) {
      // Whatever of it is broken is found below. The disk that such a finding names may be a healthy one.
      lost.set(subject.checkpointId, lost.get(subject.checkpointId) ?? new Set());
      continue;
    }
    if (subject.disk === null) continue;
    if (kind === "disk.replaced" || kind === "bitmap.rewound") quarantined.add(subject.disk);
    else if (subject.checkpointId !== null) lose(subject.checkpointId, subject.disk);
  }
  const unended = added ? facts.ordered.filter(({ state }) => state === "deleting").map(({ id }) => id) : [];
  const damage: Damage = {
    whole: new Set(unended),
    partial: [],
    quarantined: [...quarantined].sort(),
    leftovers: { checkpoints: unended, bitmaps: leftoverBitmaps(facts, quarantined, added) },
  };
  for (const item of facts.ordered) {
    for (const { target } of item.disks) if (quarantined.has(target)) lose(item.id, target);
    const disks = lost.get(item.id);
    if (!disks || damage.whole.has(item.id)) continue;
    // What is left of it must be fit to be defined again, so that everything goes that is no good.
    for (const { target } of item.disks) if (!isWorthKeeping(coverState(facts, item.id, target))) disks.add(target);
    // A retired disk is expected by nobody; one that is only gone may come back.
    const stays = item.disks.some(({ target }) => !disks.has(target) && !facts.retired.has(target));
    if (mode === "strict" || !stays) damage.whole.add(item.id);
    else for (const disk of [...disks].sort()) damage.partial.push({ checkpointId: item.id, disk });
  }
  return damage;
}

function isWorthKeeping(state: CoverState): boolean {
  return isHealthyState(state) || state === "gone" || state === "retired";
}

/**
 * A checkpoint's id is the name of its bitmap on every disk that it covers. A bitmap of that name on a disk that it does
 * not cover is what a heal leaves that ended between its record and its host. See lib/decisions/leftovers-of-a-heal.md.
 */
function leftoverBitmaps(
  facts: PlanFacts,
  quarantined: ReadonlySet<string>,
  added: ReadonlySet<string | null> | null,
): BitmapName[] {
  const covered = new Set(facts.ordered.flatMap(({ id, disks }) => disks.map(({ target }) => `${target}\n${id}`)));
  const targets = new Set([...covered].map((key) => key.slice(0, key.indexOf("\n"))));
  const isWandering = [...targets].some((target) => !facts.disks.has(target) && !facts.retired.has(target));
  const known = new Set(facts.record.disks.map(({ target }) => target));
  const leftovers: BitmapName[] = [];
  for (const [disk, { bitmaps, unsupported }] of facts.disks) {
    if (!bitmaps || unsupported !== null || facts.retired.has(disk)) continue;
    // An image attached later may bring the bitmaps of the one that it was copied from.
    const here = quarantined.has(disk) || (added && known.has(disk) && !isWandering && !added.has(disk));
    if (!here) continue;
    for (const bitmap of bitmaps.keys()) {
      const item = facts.recorded.get(bitmap);
      if (item?.state === "active" && !covered.has(`${disk}\n${bitmap}`)) leftovers.push({ disk, bitmap });
    }
  }
  return leftovers;
}

function actionsOf(input: PlanInput, facts: PlanFacts, damage: Damage): { head: PlanAction[]; tail: PlanAction[] } {
  const deletion = deletionOf(facts, damage.whole);
  // What keeps only disks that are not attached cannot stay in libvirt's list: its definition would name no disk.
  const dropped = new Map<string, Set<string>>();
  for (const { checkpointId, disk } of damage.partial) {
    dropped.set(checkpointId, (dropped.get(checkpointId) ?? new Set()).add(disk));
  }
  const unlisted = [...dropped].filter(
    ([id, disks]) =>
      listedOf(facts, id) !== undefined &&
      !(facts.recorded.get(id)?.disks ?? []).some(({ target }) => countsHere(facts, target) && !disks.has(target)),
  );
  const ids = new Set([...deletion.listed, ...unlisted.map(([id]) => id)]);
  const bitmaps = [...deletion.bitmaps, ...damage.leftovers.bitmaps];
  for (const { checkpointId: bitmap, disk } of damage.partial) {
    if (hasBitmap(facts, disk, bitmap) && !ids.has(bitmap)) bitmaps.push({ disk, bitmap });
  }
  return {
    head: [
      { verb: "record.mark-deleting", ids: deletion.recorded },
      { verb: "record.drop-disks", items: damage.partial },
      { verb: "host.delete-checkpoints", ids: leafToRoot(facts, ids) },
      { verb: "host.delete-bitmaps", items: unique(bitmaps) },
    ],
    tail: [
      { verb: "record.delete", ids: deletion.recorded },
      // Last: until everything is gone the disk stays distrusted.
      acceptImages(input, damage.quarantined),
    ],
  };
}

function unique(items: readonly BitmapName[]): BitmapName[] {
  return [...new Map(items.map((item) => [`${item.disk}\n${item.bitmap}`, item])).values()];
}
