/**
 * Compares a restored backup with the stopped VM's disk, without a lock that could stop the VM's next start
 * (lib/decisions/looking-takes-no-lock.md): looked at before and after instead.
 *
 * | bitmap of the backup's checkpoint | contents | says                                            |
 * |-----------------------------------|----------|-------------------------------------------------|
 * | healthy, nothing in it            | equal    | equal                                           |
 * | healthy, nothing in it            | differ   | differs: the backup is wrong, or the disk is    |
 * | healthy, something in it          | –        | not-comparable: written to since                |
 * | not named, missing or broken      | equal    | equal: it is what it is                         |
 * | not named, missing or broken      | differ   | not-comparable: nobody knows what changed since |
 */
import { isHealthy, viewBitmaps } from "#chain/bitmaps.ts";
import type { DiskLayer, DiskObservation } from "#chain/model.ts";
import type { CompareDisk, Compared } from "../backups/verify/verify.ts";
import { HostFailure } from "../failure.ts";
import { readColdBitmap } from "../qemu/extents.ts";
import { runWithProgress } from "../qemu/progress.ts";
import type { CallPool } from "./call-pool.ts";
import { observeDomain } from "./observe.ts";

type Wanted = { vmId: string; checkpointId?: string | undefined };
type Layers = DiskLayer[];

const not = (detail: string): Compared => ({ comparedWithDisk: "not-comparable", detail });
const wordsOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** null: nothing was written since the checkpoint. */
type WrittenSince = { isKnown: boolean; words: string } | null;

async function readWrittenSince(disk: DiskObservation, layers: Layers, checkpointId: string): Promise<WrittenSince> {
  const unknown = (words: string): WrittenSince => ({ isKnown: false, words });
  const view = viewBitmaps(disk.target, layers).get(checkpointId);
  if (view === undefined) return unknown(`the disk has no bitmap '${checkpointId}'`);
  if (!isHealthy(view)) return unknown(`bitmap '${checkpointId}' is ${view.state}`);
  try {
    const extents = await readColdBitmap(
      view.held.map(({ layer }) => layer),
      checkpointId,
    );
    const bytes = extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    return bytes === 0 ? null : { isKnown: true, words: `${bytes} bytes were written since '${checkpointId}'` };
  } catch (thrown) {
    return unknown(`bitmap '${checkpointId}' cannot be read: ${wordsOf(thrown)}`);
  }
}

/** The offset is all that qemu-img says. */
function whereDiffers(stdout: string): string {
  const offset = /at offset (\d+)/.exec(stdout)?.[1];
  return offset === undefined ? stdout.trim().slice(0, 500) : `first at byte ${offset}`;
}

export function makeCompareDisk(pool: CallPool, { vmId, checkpointId }: Wanted, qmp: boolean): CompareDisk {
  async function isHeld(layers: Layers): Promise<boolean> {
    const states = await pool.call("writers", { paths: layers.map(({ path }) => path) }, { vmId });
    return states.includes("held");
  }

  async function compare(...[target, restored, options]: Parameters<CompareDisk>): Promise<Compared> {
    const seen = await observeDomain(pool, vmId, qmp);
    if (seen === null) return not("This host does not know the VM.");
    if (seen.power !== "shut-off") return not(`The VM is ${seen.power}: its disks change.`);
    const disk = seen.disks.find((one) => one.target === target);
    if (disk?.source == null) return not(`The VM has no disk ${target} that could be read.`);
    if (!disk.layers.ok) return not(disk.layers.error.message);
    const layers = disk.layers.value;
    const since: WrittenSince =
      checkpointId === undefined
        ? { isKnown: false, words: "no checkpoint was named" }
        : await readWrittenSince(disk, layers, checkpointId);
    if (since?.isKnown) return not(`The disk changed: ${since.words}.`);
    if (await isHeld(layers)) return not("Another process has the disk open for writing.");
    const args = ["compare", "-p", "-U", "-f", "raw", "-F", disk.format, "--", restored, disk.source];
    const { code, stdout, stderr } = await runWithProgress("qemu-img", args, options);
    const after = await pool.call("state", { vmId }, { vmId });
    if (after?.power !== "shut-off" || (await isHeld(layers))) return not("The VM was started while it was compared.");
    if (code === 0) return { comparedWithDisk: "equal", detail: null };
    if (code !== 1) return not(`qemu-img could not compare: ${stderr.trim().slice(0, 500)}`);
    const where = whereDiffers(stdout);
    if (since === null) return { comparedWithDisk: "differs", detail: where };
    return not(`The contents differ (${where}), and whether the disk changed since cannot be told: ${since.words}.`);
  }

  return async (target, restored, options) => {
    try {
      return await compare(target, restored, options);
    } catch (thrown) {
      options.signal.throwIfAborted();
      if (thrown instanceof HostFailure) return not(thrown.message);
      throw thrown;
    }
  };
}
