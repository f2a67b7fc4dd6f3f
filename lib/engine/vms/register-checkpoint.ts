import type { z } from "zod";
import type { RecordCheckpoint } from "#chain/model.ts";
import { checkDefinition } from "#chain/names.ts";
import type { registerCheckpointInput } from "#contract/engine-vms.ts";
import { invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { getCheckpoint, insertRegistered, inTransaction, listDisks, lockVm, type Tx, writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import { recompute } from "../observe/recompute.ts";
import type { Context } from "../state.ts";
import { toRecordCheckpoint } from "./get-chain.ts";
import { noSuchVm } from "./lookup.ts";

type Input = z.infer<typeof registerCheckpointInput>;

/** Far enough for clocks that differ; a creation time beyond it is a mistake. */
const FUTURE_MS = 24 * 3_600_000;

/**
 * Records a checkpoint that another manager made. The same body again is answered like the first time and changes
 * nothing; another body under a recorded name is a conflict.
 */
export async function registerCheckpoint({ engine, actor, traceId }: Context, input: Input) {
  return inTransaction(engine.db, async (tx) => {
    if (!(await lockVm(tx, { id: input.vmId }))) throw noSuchVm(input.vmId);
    const existing = await getCheckpoint(tx, input.vmId, input.id);
    if (existing) {
      if (isSame(existing, input)) return toRecordCheckpoint(existing);
      throw new ProblemError("conflict", `The checkpoint ${input.id} is recorded already, and differently.`, {
        subject: input.vmId,
        errors: [{ field: "id", reason: "recorded already with other values" }],
      });
    }
    await check(tx, input);
    const { vmId, id, parentId, createdAt, disks } = input;
    await insertRegistered(tx, vmId, { id, parentId, createdAt, disks });
    await writeAudit(tx, {
      actor: actorName(actor),
      role: actor.role,
      action: "vms.registerCheckpoint",
      subject: vmId,
      outcome: "done",
      detail: `checkpoint ${id}, parent ${parentId ?? "none"}, disks ${disks.join(" ")}`,
      traceId,
    });
    await recompute(tx, engine, vmId);
    const made = await getCheckpoint(tx, vmId, id);
    if (!made) throw new Error("the checkpoint was not stored");
    return toRecordCheckpoint(made);
  });
}

async function check(tx: Tx, input: Input): Promise<void> {
  const errors: { field: string; reason: string }[] = checkDefinition(input);
  if (input.parentId === input.id) errors.push({ field: "parentId", reason: "a checkpoint is not its own parent" });
  else if (input.parentId !== null && !(await getCheckpoint(tx, input.vmId, input.parentId))) {
    errors.push({ field: "parentId", reason: `no checkpoint ${input.parentId} is recorded; register parents first` });
  }
  if (Date.parse(input.createdAt) > Date.now() + FUTURE_MS)
    errors.push({ field: "createdAt", reason: "lies in the future" });
  const known = (await listDisks(tx, input.vmId)).map((disk) => disk.target);
  input.disks.forEach((target, i) => {
    if (input.disks.indexOf(target) !== i) errors.push({ field: `disks[${i}]`, reason: `${target} stands twice` });
    // A VM that no host has shown yet has no known disks; then nothing can be said against one.
    else if (known.length > 0 && !known.includes(target)) {
      errors.push({ field: `disks[${i}]`, reason: `the VM has no disk ${target}; it has ${known.join(", ")}` });
    }
  });
  if (errors.length > 0) throw invalidInput(errors);
}

function isSame(existing: RecordCheckpoint, input: Input): boolean {
  const have = existing.disks.map((disk) => disk.target).sort();
  const want = [...input.disks].sort();
  return (
    existing.origin === "registered" &&
    existing.parentId === input.parentId &&
    Date.parse(existing.createdAt) === Date.parse(input.createdAt) &&
    have.length === want.length &&
    have.every((target, i) => target === want[i])
  );
}
