/** Deletes bitmaps that no checkpoint of libvirt needs to own: through libvirt while the domain runs, else in the images. */
import { toRounds } from "#chain/plan/bitmap-rounds.ts";
import type { DeleteBitmapsInput, DeleteBitmapsResult, HostError } from "#contract/agent-operations.ts";
import { invalidInput } from "#contract/offences.ts";
import { hostError } from "../host-error.ts";
import { findHeld } from "./held-bitmaps.ts";
import { type Change, type HostSteps, TEMPORARY_CHECKPOINT } from "./host-steps.ts";
import { BATCH, PinnedWork } from "./pinned-work.ts";

type Item = DeleteBitmapsInput["items"][number];
type Result = DeleteBitmapsResult["results"][number];

/** Control characters do not come through an attribute of XML: libvirt would look for another name. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const NOT_IN_XML = /[\u0000-\u001f\u007f\ufffe\uffff]/;

const keyOf = ({ disk, bitmap }: Item): string => JSON.stringify([disk, bitmap]);

function findOffences(items: Item[]): { field: string; reason: string }[] {
  const first = new Map<string, number>();
  return items.flatMap((item, i) => {
    const earlier = first.get(keyOf(item));
    if (earlier === undefined) {
      first.set(keyOf(item), i);
      return item.bitmap.includes("\0")
        ? [{ field: `items[${i}].bitmap`, reason: "no bitmap's name holds a NUL" }]
        : [];
    }
    return [{ field: `items[${i}]`, reason: `this is items[${earlier}] already` }];
  });
}

/**
 * libvirt deletes what the `bitmap` attribute of a definition names, and takes any text there. So a definition lives for
 * as long as two calls: a leaf without a parent, which never becomes libvirt's "current" one while there is another. It
 * covers one bitmap a disk, and its deletion is one transaction of QEMU.
 */
export function changesOf(round: readonly Item[]): Change[] {
  const disks = round.map(({ disk, bitmap }) => ({ target: disk, bitmap }));
  const createdAt = new Date(1_000).toISOString();
  return [
    { do: "define", id: TEMPORARY_CHECKPOINT, parentId: null, createdAt, disks },
    { do: "delete", id: TEMPORARY_CHECKPOINT, metadataOnly: false },
  ];
}

class Removals {
  readonly #work: PinnedWork;
  /** Still to do, by key. */
  readonly #open = new Map<string, Item>();
  readonly #begun = new Set<string>();
  readonly #failed = new Map<string, HostError>();

  constructor(work: PinnedWork, items: Item[]) {
    this.#work = work;
    for (const item of items) {
      const held = findHeld(work.observation, item.disk, item.bitmap);
      if (!held.ok) this.#failed.set(keyOf(item), held.error);
      else if (held.images.length === 0) continue;
      else this.#open.set(keyOf(item), item);
    }
    for (const key of this.#open.keys()) this.#begun.add(key);
  }

  async run(): Promise<void> {
    if (this.#open.size === 0) return;
    if (this.#work.isLive) await this.#removeLive();
    else await this.#removeStopped();
  }

  async #removeLive(): Promise<void> {
    // One at a time once a round failed: the error of a round does not say which of its bitmaps it was.
    let isSingle = false;
    while (this.#open.size > 0) {
      const items = [...this.#open.values()];
      const rounds = (isSingle ? items.map((item) => [item]) : toRounds(items)).slice(0, BATCH / 2);
      const outcome = await this.#work.change(rounds.flatMap(changesOf));
      if (outcome.reread) {
        this.#closeGone();
        continue;
      }
      const done = Math.floor(outcome.done / 2);
      for (const item of rounds.slice(0, done).flat()) this.#open.delete(keyOf(item));
      if (outcome.error === null) continue;
      const failed = rounds[done] ?? [];
      if (outcome.error.retryable) return await this.#failAll(outcome.error);
      if (failed.length > 1) isSingle = true;
      else for (const item of failed) this.#fail(item, outcome.error);
    }
    // Takes away the definition that a failed deletion leaves.
    if (this.#failed.size > 0) await this.#work.change([]);
  }

  async #removeStopped(): Promise<void> {
    const free = await this.#work.assertFree();
    if (free !== null) return await this.#failAll(free);
    for (const item of [...this.#open.values()]) {
      const held = findHeld(this.#work.observation, item.disk, item.bitmap);
      let error = held.ok ? null : held.error;
      for (const image of held.ok ? held.images : []) error ??= await this.#work.removeImageBitmap(image);
      if (error !== null) {
        this.#fail(item, error);
        // Perhaps it was started: then this is another run, and the call ends here.
        await this.#work.refresh();
      }
      this.#open.delete(keyOf(item));
    }
  }

  #fail(item: Item, error: HostError): void {
    this.#failed.set(keyOf(item), error);
    this.#open.delete(keyOf(item));
  }

  async #failAll(error: HostError): Promise<void> {
    for (const item of [...this.#open.values()]) this.#fail(item, error);
    await this.#work.refresh();
  }

  #closeGone(): void {
    for (const [key, item] of this.#open) {
      const held = findHeld(this.#work.observation, item.disk, item.bitmap);
      if (held.ok && held.images.length === 0) this.#open.delete(key);
    }
  }

  async finish(items: Item[]): Promise<DeleteBitmapsResult> {
    const proof = await this.#work.refresh();
    const results = items.map((item): Result => {
      const error = this.#failed.get(keyOf(item)) ?? null;
      if (error !== null) return { ...item, outcome: "failed", error };
      if (!this.#begun.has(keyOf(item))) return { ...item, outcome: "absent", error };
      const held = findHeld(proof, item.disk, item.bitmap);
      if (!held.ok) return { ...item, outcome: "failed", error: held.error };
      if (held.images.length > 0) return { ...item, outcome: "failed", error: STILL_THERE };
      return { ...item, outcome: "deleted", error };
    });
    return { results, proof };
  }
}

const STILL_THERE = hostError("internal", "The bitmap is still there.");
/** @throws ProblemError `invalid_input`, `not_found`, `conflict`, `vm_busy`; HostFailure */
export async function deleteBitmaps(
  host: HostSteps,
  { vmId, items, expect }: DeleteBitmapsInput,
): Promise<DeleteBitmapsResult> {
  const offences = findOffences(items);
  if (offences.length > 0) throw invalidInput(offences);
  const work = await PinnedWork.open(host, vmId, expect);
  const attached = new Set(work.observation.disks.map(({ target }) => target));
  const unfit = items.flatMap(({ disk, bitmap }, i) => {
    const field = `items[${i}]`;
    if (!attached.has(disk)) return [{ field: `${field}.disk`, reason: `this domain has no writable disk ${disk}` }];
    const reason = "libvirt cannot be told this name: stop the VM, then it can be deleted";
    return work.isLive && NOT_IN_XML.test(bitmap) ? [{ field: `${field}.bitmap`, reason }] : [];
  });
  if (unfit.length > 0) throw invalidInput(unfit);
  const removals = new Removals(work, items);
  await removals.run();
  return await removals.finish(items);
}
