/** Deletes checkpoints with their bitmaps, one by one from leaf to root, having looked every bitmap up first. */
import type { HostCheckpoint } from "#chain/model.ts";
import type { DeleteCheckpointsInput, DeleteCheckpointsResult, HostError } from "#contract/agent-operations.ts";
import { invalidInput } from "#contract/offences.ts";
import { hostError } from "../host-error.ts";
import { canHoldNone, findHeld, type Held } from "./held-bitmaps.ts";
import type { Change, HostSteps, ImageBitmap } from "./host-steps.ts";
import { BATCH, PinnedWork } from "./pinned-work.ts";

type Result = DeleteCheckpointsResult["results"][number];

/** `disks`: whose bitmap goes with it. */
type Deletion = { checkpoint: HostCheckpoint; disks: string[]; images: ImageBitmap[]; changes: Change[] };

/**
 * A bitmap is a checkpoint's own when it has its name, whatever the definition says: a definition without disks, or with
 * one left out, would leave bitmaps that nobody owns, and one that names another bitmap would take that of another.
 *
 * | runs | disks that hold it    | changes                                        |
 * |------|-----------------------|------------------------------------------------|
 * | yes  | as defined            | delete                                         |
 * | yes  | others than defined   | define with these alone, delete                |
 * | yes  | none                  | delete the metadata                            |
 * | no   | any                   | remove it from each image, delete the metadata |
 */
function planDeletion(work: PinnedWork, checkpoint: HostCheckpoint): Deletion | HostError {
  const { id, parentId, createdAt } = checkpoint;
  const disks: string[] = [];
  const images: ImageBitmap[] = [];
  for (const disk of work.observation.disks) {
    const { target } = disk;
    const held: Held = findHeld(work.observation, target, id);
    if (!held.ok) {
      // What cannot hold a bitmap is no reason to keep the others. A disk that was only not read may hold one, also
      // where the definition does not name it: without its metadata that bitmap would be nobody's.
      if (!checkpoint.disks.some((defined) => defined.target === target) && canHoldNone(disk)) continue;
      return held.error;
    }
    if (held.images.length > 0) disks.push(target);
    images.push(...held.images);
  }
  if (!work.isLive || disks.length === 0) {
    return { checkpoint, disks, images, changes: [{ do: "delete", id, metadataOnly: true }] };
  }
  const own = disks.map((target) => ({ target, bitmap: id }));
  const defined = new Map(checkpoint.disks.map(({ target, bitmap }) => [target, bitmap]));
  const isAsDefined = defined.size === own.length && own.every(({ target }) => defined.get(target) === id);
  const narrow: Change[] = isAsDefined ? [] : [{ do: "define", id, parentId, createdAt, disks: own }];
  return { checkpoint, disks, images, changes: [...narrow, { do: "delete", id, metadataOnly: false }] };
}

class Deletions {
  readonly #work: PinnedWork;
  /** Still to do. */
  readonly #open: Set<string>;
  readonly #failed = new Map<string, HostError>();
  /** What went with each, as far as it was begun. */
  readonly #disks = new Map<string, Set<string>>();

  constructor(work: PinnedWork, ids: string[]) {
    this.#work = work;
    const asked = new Set(ids);
    this.#open = new Set(work.listed.map(({ id }) => id).filter((id) => asked.has(id)));
  }

  async run(): Promise<void> {
    for (;;) {
      const batch = this.#nextBatch();
      if (batch.length === 0) return;
      if (this.#work.isLive) await this.#deleteLive(batch);
      else await this.#deleteStopped(batch);
    }
  }

  /** Leaf to root, as the tree is now: a failed deletion may have changed it. */
  #nextBatch(): Deletion[] {
    const batch: Deletion[] = [];
    let changes = 0;
    for (const checkpoint of this.#work.listed.toReversed()) {
      if (!this.#open.has(checkpoint.id)) continue;
      const planned = planDeletion(this.#work, checkpoint);
      if ("code" in planned) {
        this.#open.delete(checkpoint.id);
        this.#failed.set(checkpoint.id, planned);
        continue;
      }
      changes += planned.changes.length;
      if (changes > BATCH) break;
      this.#disks.set(checkpoint.id, new Set([...(this.#disks.get(checkpoint.id) ?? []), ...planned.disks]));
      batch.push(planned);
    }
    return batch;
  }

  async #deleteLive(batch: Deletion[]): Promise<void> {
    const outcome = await this.#work.change(batch.flatMap(({ changes }) => changes));
    if (outcome.reread) return this.#closeUnlisted();
    let done = outcome.done;
    for (const { checkpoint, changes } of batch) {
      if (done >= changes.length) {
        this.#open.delete(checkpoint.id);
      } else if (outcome.error !== null) {
        return await this.#fail(checkpoint.id, outcome.error);
      }
      done -= changes.length;
    }
  }

  /** Bitmaps first: metadata without its bitmaps is completed by the same call, bitmaps without metadata are nobody's. */
  async #deleteStopped(batch: Deletion[]): Promise<void> {
    const free = await this.#work.assertFree();
    for (const { checkpoint, images, changes } of batch) {
      let error = free;
      for (const image of images) error ??= await this.#work.removeImageBitmap(image);
      if (error !== null) return await this.#fail(checkpoint.id, error);
      const outcome = await this.#work.change(changes);
      if (outcome.reread) return this.#closeUnlisted();
      if (outcome.error !== null) return await this.#fail(checkpoint.id, outcome.error);
      this.#open.delete(checkpoint.id);
    }
  }

  #closeUnlisted(): void {
    const listed = new Set(this.#work.listed.map(({ id }) => id));
    for (const id of this.#open) if (!listed.has(id)) this.#open.delete(id);
  }

  /** Notes it, reads the tree again, and puts back under it the children that libvirt took away from it. */
  async #fail(id: string, error: HostError): Promise<void> {
    const before = this.#work.listed;
    this.#open.delete(id);
    this.#failed.set(id, error);
    await this.#work.refresh();
    if (error.retryable) {
      // What may pass by itself would meet the others too.
      for (const other of this.#open) this.#failed.set(other, error);
      this.#open.clear();
    }
    const now = new Map(this.#work.listed.map((checkpoint) => [checkpoint.id, checkpoint]));
    if (!now.has(id)) return;
    const strays = before.filter((c) => c.parentId === id && now.has(c.id) && now.get(c.id)?.parentId !== id);
    if (strays.length === 0) return;
    await this.#work.change(strays.map((child): Change => ({ do: "reparent", id: child.id, parentId: id })));
    await this.#work.refresh();
  }

  async finish(ids: string[], wasListed: ReadonlySet<string>): Promise<DeleteCheckpointsResult> {
    const proof = await this.#work.refresh();
    const listed = new Set(this.#work.listed.map(({ id }) => id));
    const results = ids.map((id): Result => {
      if (!wasListed.has(id)) return { id, outcome: "absent", disks: [], error: null };
      const disks = [...(this.#disks.get(id) ?? [])].filter((target) => {
        const held = findHeld(proof, target, id);
        return held.ok && held.images.length === 0;
      });
      const error = this.#failed.get(id) ?? (listed.has(id) ? STILL_THERE : null);
      if (error !== null) return { id, outcome: "failed", disks, error };
      return { id, outcome: disks.length > 0 ? "deleted" : "metadata-only", disks, error };
    });
    return { results, proof };
  }
}

const STILL_THERE: HostError = {
  ...hostError("domain-changed", "Somebody else defined it again meanwhile."),
  retryable: true,
};

/**
 * Ids that libvirt does not list are `absent`, and no bitmap of such a name is touched.
 * @throws ProblemError `invalid_input`, `not_found`, `conflict`, `vm_busy`; HostFailure
 */
export async function deleteCheckpoints(
  host: HostSteps,
  { vmId, ids, expect }: DeleteCheckpointsInput,
): Promise<DeleteCheckpointsResult> {
  const twice = ids.flatMap((id, i) =>
    ids.indexOf(id) < i ? [{ field: `ids[${i}]`, reason: `'${id}' is ids[${ids.indexOf(id)}] already` }] : [],
  );
  if (twice.length > 0) throw invalidInput(twice);
  const work = await PinnedWork.open(host, vmId, expect);
  const wasListed = new Set(work.listed.map(({ id }) => id));
  const deletions = new Deletions(work, ids);
  await deletions.run();
  return await deletions.finish(ids, wasListed);
}
