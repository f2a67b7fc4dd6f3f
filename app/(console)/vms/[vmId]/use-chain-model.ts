import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useApi } from "#client/api.ts";
import { overlayNodes } from "#client/overlay.ts";
import { engineQueries } from "#client/queries.ts";
import type { Overlay } from "#client/url-state.ts";
import { isPast } from "#client/words.ts";
import { backupsByCheckpoint } from "#components/chain/backups.ts";
import { sortFindings } from "#components/findings/findings-panel.tsx";
import type { Chain } from "#contract/engine-vms.ts";
import { bitmapMatrix } from "#graph/matrix.ts";
import { graphNodes } from "#graph/nodes.ts";

export type ChainModel = ReturnType<typeof useChainModel>;

/** What the views draw, made once from a chain: its nodes, the matrix of bitmaps, findings and backups in order. */
export function useChainModel(chain: Chain, overlay: Overlay) {
  const history = useQuery(engineQueries(useApi()).backups(chain.vm.id));
  const all = useMemo(() => graphNodes(chain), [chain]);
  const nodes = useMemo(() => overlayNodes(chain, overlay, all), [chain, overlay, all]);
  const matrix = useMemo(() => bitmapMatrix(chain, all), [chain, all]);
  const columnOf = useMemo(() => new Map(matrix.columns.map(({ id }, index) => [id, index])), [matrix]);
  const findings = useMemo(() => sortFindings(chain.findings), [chain.findings]);
  const backups = useMemo(
    () => backupsByCheckpoint(chain.record.checkpoints, history.data?.items ?? []),
    [chain.record.checkpoints, history.data],
  );
  const cellsOf = useMemo(
    () => (id: string) => {
      const column = columnOf.get(id);
      return matrix.rows.flatMap((row) => {
        const cell = column === undefined ? undefined : row.cells[column];
        return cell && cell.state !== "not-covered" ? [{ disk: row.target, state: cell.state, cell }] : [];
      });
    },
    [matrix, columnOf],
  );
  return {
    /** Oldest first, as drawn under the overlay. */
    nodes,
    /** The same of both witnesses, whatever the overlay. */
    all,
    matrix,
    findings,
    backups,
    cellsOf,
    isKnown: (id: string) => columnOf.has(id),
    /** What is shown says nothing about now. */
    past: isPast(chain.freshness) || chain.host.status !== "observed",
  };
}
