import { z } from "zod";
import type { BackupView } from "#contract/engine-backups.ts";
import { ProblemError } from "#contract/problem.ts";
import { getBackup as findBackup, listBackups as findBackups } from "#db/index.ts";
import { cursorTime, decodeCursor, encodeCursor } from "../cursor.ts";
import type { Context } from "../state.ts";
import { requireVm } from "../vms/lookup.ts";

/** Backup history of one VM, newest first. */
export async function listBackups(
  context: Context,
  { vmId, cursor, limit }: { vmId: string; cursor?: string; limit: number },
) {
  await requireVm(context, vmId);
  const at = decodeCursor(cursor, "backups", z.tuple([cursorTime, z.uuid()]));
  const before = at ? { startedAt: at[0], id: at[1] } : null;
  const { items, more, total } = await findBackups(context.engine.db.orm, { vmId, before, limit });
  const last = items.at(-1);
  return { items, nextCursor: more && last ? encodeCursor("backups", [last.startedAt, last.id]) : null, total };
}

export async function getBackup({ engine }: Context, { backupId }: { backupId: string }): Promise<BackupView> {
  const backup = await findBackup(engine.db.orm, backupId);
  if (!backup) throw new ProblemError("not_found", `There is no backup ${backupId}.`, { subject: backupId });
  return backup;
}
