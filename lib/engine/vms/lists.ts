/** The paged lists below one VM. */
import { z } from "zod";
import { listCheckpoints, listFindingHistory, listSamples } from "#db/index.ts";
import { cursorNumber, decodeCursor, encodeCursor } from "../cursor.ts";
import type { Context } from "../state.ts";
import { toRecordCheckpoint } from "./get-chain.ts";
import { requireVm } from "./lookup.ts";

type Page = { vmId: string; cursor?: string; limit: number };
const one = z.tuple([cursorNumber]);

/** The record in topological order. */
export async function listVmCheckpoints(context: Context, { vmId, cursor, limit }: Page) {
  await requireVm(context, vmId);
  const after = decodeCursor(cursor, "checkpoints", one)?.[0] ?? null;
  const { items, more, total } = await listCheckpoints(context.engine.db.orm, { vmId, after, limit });
  const last = items.at(-1);
  const nextCursor = more && last ? encodeCursor("checkpoints", [last.sequence]) : null;
  return { items: items.map(toRecordCheckpoint), nextCursor, total };
}

export async function listVmFindings(context: Context, { vmId, cursor, limit }: Page) {
  await requireVm(context, vmId);
  const before = decodeCursor(cursor, "findings", one)?.[0] ?? null;
  const { items, more, total } = await listFindingHistory(context.engine.db.orm, { vmId, before, limit });
  const last = items.at(-1);
  const nextCursor = more && last ? encodeCursor("findings", [last.rowId]) : null;
  return { items: items.map(({ rowId: _row, ...finding }) => finding), nextCursor, total };
}

export async function listVmSamples(context: Context, { cursor, ...query }: Page & { disk?: string; bitmap?: string }) {
  await requireVm(context, query.vmId);
  const before = decodeCursor(cursor, "samples", one)?.[0] ?? null;
  const { items, more, total } = await listSamples(context.engine.db.orm, { ...query, before });
  const last = items.at(-1);
  const nextCursor = more && last ? encodeCursor("samples", [last.id]) : null;
  return { items: items.map(({ id: _id, ...sample }) => sample), nextCursor, total };
}
