/** Checkpoints that another manager made become recorded ones. Only the record changes. */
import { sharedAncestors } from "../findings/metadata.ts";
import type { HostCheckpoint } from "../model.ts";
import { checkCheckpointName } from "../names.ts";
import { orderCheckpoints } from "../order.ts";
import * as words from "../words/plans.ts";
import { type DraftResult, drafted, refusal, refuse } from "./draft.ts";
import { coverState, distrustedDisks, isHealthyState, listedOf, type PlanFacts } from "./facts.ts";
import { guardHost, guardRead } from "./guards.ts";
import type { CheckpointDefinition, PlanInput, PlanRefusal } from "./model.ts";

export function planAdopt(input: PlanInput, facts: PlanFacts, checkpointIds: readonly string[]): DraftResult {
  const refusals = guardHost(input, facts);
  const distrusted = distrustedDisks(input.findings);
  const chosen = new Set<string>();
  // Adopted by an earlier plan that perhaps ended before its links were made.
  const already = new Set(checkpointIds.filter((id) => facts.recorded.get(id)?.origin === "adopted"));
  checkpointIds.forEach((id, index) => {
    if (already.has(id)) return;
    const found = checkAdoptable(facts, id, distrusted, `checkpointIds[${index}]`);
    if (found.length === 0) chosen.add(id);
    refusals.push(...found);
  });
  if (refusals.length > 0 || !facts.host.ok) return refuse(...refusals);
  const ordered = orderCheckpoints([...facts.host.value.values()]).ordered;
  const known = { has: (id: string) => facts.recorded.has(id) || chosen.has(id) };
  const before = sharedAncestors(ordered, { has: (id) => facts.recorded.has(id) && !already.has(id) });
  const after = sharedAncestors(ordered, known);
  const checkpoints = ordered
    .filter(({ id }) => chosen.has(id))
    .map((listed): CheckpointDefinition => definitionOf(listed, after.get(listed.id) ?? null));
  // A recorded one that libvirt has below an adopted one hangs there in the record too, where both agreed before.
  const inRecord = sharedAncestors(facts.ordered, {
    has: (id) => listedOf(facts, id) !== undefined && !already.has(id),
  });
  const isNew = (id: string | null) => id !== null && (chosen.has(id) || already.has(id));
  const items = facts.ordered
    .filter(({ id }) => listedOf(facts, id) !== undefined && inRecord.get(id) === before.get(id))
    .filter(({ id, parentId }) => isNew(after.get(id) ?? null) && parentId !== after.get(id))
    .map(({ id }) => ({ checkpointId: id, parentId: after.get(id) ?? null }));
  if (checkpoints.length + items.length === 0) {
    return refuse(refusal("nothing-to-do", "Every checkpoint that was named is adopted already."));
  }
  return drafted({
    actions: [{ verb: "record.adopt", checkpoints }, { verb: "record.relink", items }, { verb: "prove" }],
    consequences: [words.adopted([...chosen, ...already])],
    losses: [],
  });
}

function definitionOf({ id, createdAt, disks }: HostCheckpoint, parentId: string | null): CheckpointDefinition {
  return { id, parentId, createdAt, disks: disks.map(({ target }) => target) };
}

/** It is a base from then on, so that it must be as good as one of ours. */
function checkAdoptable(
  facts: PlanFacts,
  id: string,
  distrusted: ReadonlyMap<string, "replaced" | "rewound">,
  field: string,
): PlanRefusal[] {
  if (facts.recorded.has(id)) return [refusal("in-use", `Checkpoint ${id} is recorded already.`, field)];
  const listed = listedOf(facts, id);
  if (!listed) return facts.host.ok ? [refusal("not-found", `libvirt lists no checkpoint ${id}.`, field)] : [];
  const name = checkCheckpointName(id);
  if (!name.ok) return name.reasons.map(({ message }) => refusal("not-offered", message, field));
  if (!listed.hasDisksElement || listed.disks.length === 0) {
    return [refusal("unhealthy", `libvirt's definition of ${id} names no disk.`, field)];
  }
  const unread = guardRead(
    facts,
    listed.disks.map(({ target }) => target),
  );
  if (unread.length > 0) return unread.map((item) => ({ ...item, field }));
  return listed.disks.flatMap(({ target, bitmap }) => {
    if (bitmap !== id) {
      const reason = `libvirt's definition of ${id} names bitmap ${bitmap} on ${target} instead of its own.`;
      return [refusal("unhealthy", reason, field)];
    }
    const trust = distrusted.get(target);
    if (trust) return [refusal("unhealthy", `No bitmap of ${target} can be trusted: its image was ${trust}.`, field)];
    const state = coverState(facts, id, target);
    if (isHealthyState(state)) return [];
    return [refusal("unhealthy", `Checkpoint ${id} on ${target}: ${words.coverStateWords(state)}.`, field)];
  });
}
