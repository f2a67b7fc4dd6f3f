import type { VmRow } from "#contract/engine-vms.ts";

/** What a row says when nothing newer could be read: the last known, which is never green. */
export const asPast = (row: VmRow): VmRow => ({ ...row, axes: { ...row.axes, freshness: "stale" } });

/** Rows with what was read of some of them just now. null: the read failed, so that what stands there is the past. */
export function withReads(rows: readonly VmRow[], reads: ReadonlyMap<string, VmRow | null>): VmRow[] {
  return rows.map((row) => {
    const read = reads.get(row.id);
    return read === undefined ? row : (read ?? asPast(row));
  });
}
