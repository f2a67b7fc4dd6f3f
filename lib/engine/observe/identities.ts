/** The image that each disk is taken to be, as a read leaves it. */
import type { DriftInput, Observation } from "#chain/model.ts";
import { acceptIdentity, bindMoves, endMoves, type listDisks, type Tx } from "#db/index.ts";
import type { JudgedProofs } from "./proofs.ts";

type Disks = Awaited<ReturnType<typeof listDisks>>;

/** Notes what a read says of moves that were seen. */
export async function noteProofs(tx: Tx, judged: JudgedProofs, { runtimeId }: Observation): Promise<void> {
  if (runtimeId !== null) await bindMoves(tx, judged.begun, runtimeId);
  if (judged.ended.length > 0) await endMoves(tx, { diskIds: judged.ended });
}

/** Only what nothing speaks against becomes the new point of comparison. */
export async function acceptIdentities(
  tx: Tx,
  { observation, hostId }: DriftInput,
  disks: Disks,
  { doubted, settled }: { doubted: ReadonlySet<string | null>; settled: readonly string[] },
): Promise<void> {
  for (const { target, identity, layers } of observation.disks) {
    const disk = disks.find((item) => item.target === target);
    if (!disk || !identity || !layers.ok || doubted.has(target)) continue;
    const known = disk.identity;
    const same =
      known?.path === identity.path &&
      known.device === identity.device &&
      known.inode === identity.inode &&
      known.size === identity.size &&
      disk.identityHostId === hostId;
    if (!same || settled.includes(target)) await acceptIdentity(tx, disk.id, hostId, identity);
  }
}
