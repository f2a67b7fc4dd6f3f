/** Checkpoints and bitmaps by name, whoever made them. The only intent that touches what is not ours. */
import { guessOwner } from "../findings/owner.ts";
import * as words from "../words/plans.ts";
import { deletionOf } from "./deletion.ts";
import { type DraftResult, drafted, refusal, refuse } from "./draft.ts";
import { hasBitmap, listedOf, type PlanFacts } from "./facts.ts";
import { guardHost, guardRead, touchedDisks } from "./guards.ts";
import type { BitmapName, PlanInput, PlanRefusal, PlanRequest } from "./model.ts";

/** Control characters do not come through an attribute of XML: libvirt would look for another name. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_IN_XML = /[\u0000-\u001f\u007f\ufffe\uffff]/;

type RemoveRequest = Extract<PlanRequest, { intent: "remove" }>;

export function planRemove(input: PlanInput, facts: PlanFacts, request: RemoveRequest): DraftResult {
  const ids = [...new Set(request.checkpointIds)];
  const refusals = guardHost(input, facts);
  request.checkpointIds.forEach((id, index) => {
    if (facts.recorded.has(id) || listedOf(facts, id)) return;
    refusals.push(refusal("not-found", `There is no checkpoint ${id}.`, `checkpointIds[${index}]`));
  });
  const named = new Set(ids);
  request.bitmaps.forEach((item, index) => {
    refusals.push(...checkBitmap(facts, item, named, `bitmaps[${index}]`));
  });
  const touched = [...ids.flatMap((id) => [...touchedDisks(facts, id)]), ...request.bitmaps.map(({ disk }) => disk)];
  refusals.push(...guardRead(facts, touched));
  if (refusals.length > 0) return refuse(...refusals);
  if (ids.length + request.bitmaps.length === 0) {
    return refuse(refusal("nothing-to-do", "No checkpoint and no bitmap was named."));
  }

  const deletion = deletionOf(facts, ids);
  const bitmaps = request.bitmaps.filter(({ bitmap }) => !named.has(bitmap));
  const foreign = ids.filter((id) => !facts.recorded.has(id));
  return drafted({
    actions: [
      { verb: "record.mark-deleting", ids: deletion.recorded },
      { verb: "host.delete-checkpoints", ids: deletion.listed },
      { verb: "host.delete-bitmaps", items: [...deletion.bitmaps, ...bitmaps] },
      { verb: "record.delete", ids: deletion.recorded },
      { verb: "prove" },
    ],
    consequences: [
      ...words.removed({ recorded: deletion.recorded, foreign, bitmaps }),
      ...words.detached(facts, deletion.recorded),
    ],
    losses: [
      ...foreign.map((id) => words.foreignLoss(id, guessOwner(id))),
      ...bitmaps.map((item) => words.bitmapLoss(item, guessOwner(item.bitmap))),
    ],
  });
}

/** A bitmap that a checkpoint uses goes with that checkpoint, or the checkpoint would be broken by us. */
function checkBitmap(
  facts: PlanFacts,
  { disk, bitmap }: BitmapName,
  named: ReadonlySet<string>,
  field: string,
): PlanRefusal[] {
  const observed = facts.disks.get(disk);
  if (!observed) return [refusal("not-found", `The VM has no writable disk ${disk}.`, `${field}.disk`)];
  // Not read: the guard says so.
  if (!observed.layers.ok) return [];
  if (!hasBitmap(facts, disk, bitmap)) {
    return [refusal("not-found", `There is no bitmap ${bitmap} on ${disk}.`, `${field}.bitmap`)];
  }
  if (named.has(bitmap)) return [];
  if (facts.live && NOT_IN_XML.test(bitmap)) {
    const reason = `libvirt cannot be told the name of this bitmap on ${disk}. Stop the VM, then it can be deleted.`;
    return [refusal("in-use", reason, `${field}.bitmap`)];
  }
  const item = facts.recorded.get(bitmap);
  if (item?.disks.some(({ target }) => target === disk)) {
    const reason = `Bitmap ${bitmap} on ${disk} belongs to a recorded checkpoint. Heal or prune the checkpoint instead.`;
    return [refusal("in-use", reason, `${field}.bitmap`)];
  }
  const user = listingUser(facts, disk, bitmap);
  if (user === null) return [];
  const reason = `Bitmap ${bitmap} on ${disk} is used by libvirt's checkpoint ${user}. Remove that checkpoint by name.`;
  return [refusal("in-use", reason, `${field}.bitmap`)];
}

function listingUser(facts: PlanFacts, disk: string, bitmap: string): string | null {
  if (!facts.host.ok) return null;
  for (const listed of facts.host.value.values()) {
    if (listed.disks.some((entry) => entry.target === disk && entry.bitmap === bitmap)) return listed.id;
  }
  return null;
}
