"use client";
import { Copy, Scissors, X } from "lucide-react";
import Link from "next/link";
import { CELL_WORDS } from "#client/cell-words.ts";
import { formatBytes } from "#client/format.ts";
import { CellSign } from "#components/patterns/cell-sign.tsx";
import { MatchMark } from "#components/patterns/match-mark.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { Button, IconButton } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";
import type { Chain } from "#contract/engine-vms.ts";
import type { MatrixCell } from "#graph/matrix.ts";
import type { GraphNode } from "#graph/types.ts";
import type { BackupTag } from "./backups.ts";

type Props = {
  chain: Chain;
  id: string;
  node: GraphNode | null;
  cells: { disk: string; cell: MatrixCell }[];
  backup: BackupTag | null;
  past: boolean;
  onCopy: () => void;
  onClose: () => void;
  onExtents: (disk: string) => void;
  noPrune: string | null;
  onPrune: () => void;
};

/** The selected checkpoint as each witness tells it, side by side. */
export function CheckpointDetail(props: Props) {
  const { chain, id, node, cells, backup, past } = props;
  const record = chain.record.checkpoints.find((checkpoint) => checkpoint.id === id);
  const host = chain.host.checkpoints?.find((checkpoint) => checkpoint.id === id);
  const unread = chain.host.checkpoints === null ? "cannot tell" : "not listed";
  const facts: [string, string, string][] = [
    ["State", record ? `${record.state}, ${record.origin}` : "not recorded", host ? "listed" : unread],
    ["Parent", record ? (record.parentId ?? "none") : "–", host ? (host.parentId ?? "none") : unread],
    [
      "Disks",
      record ? record.disks.join(" ") : "–",
      host ? host.disks.map((disk) => disk.target).join(" ") || "none" : unread,
    ],
  ];
  return (
    <section aria-labelledby="checkpoint-title" className="rounded-lg border border-line" data-detail={id}>
      <div className="flex items-center gap-2 border-b border-line py-1.5 pr-2 pl-4">
        <h2 id="checkpoint-title" className="min-w-0 flex-1 truncate font-mono text-sm font-semibold">
          {id}
        </h2>
        {node && <MatchMark match={node.match} past={past} />}
        <IconButton label="Close" onClick={props.onClose}>
          <X size={14} aria-hidden />
        </IconButton>
      </div>
      <div className="space-y-3 px-4 py-3">
        <p className="text-ink-2">
          {node ? (
            <>
              Created <Moment at={node.createdAt} />
            </>
          ) : (
            "A bitmap that no checkpoint claims."
          )}
          {backup && (
            <>
              ,{" "}
              <Link
                href={`/vms/${chain.vm.id}/backups${backup.id ? `#${backup.id}` : ""}`}
                className="underline underline-offset-2"
              >
                {backup.word.toLowerCase()}
                {backup.id && " backup"}
              </Link>
              {backup.bytes !== null && ` of ${formatBytes(backup.bytes)}`}
            </>
          )}
        </p>
        {node && (
          <table className="w-full table-fixed text-left">
            <thead className="text-xs text-ink-3">
              <tr>
                <td className="w-14" />
                <th scope="col" className="font-medium">
                  Record
                </th>
                <th scope="col" className="font-medium">
                  libvirt{past ? " (last known)" : ""}
                </th>
              </tr>
            </thead>
            <tbody>
              {facts.map(([name, ours, theirs]) => (
                <tr key={name} className="align-top">
                  <th scope="row" className="py-0.5 text-xs leading-5 font-normal text-ink-3">
                    {name}
                  </th>
                  <td className="py-0.5 pr-2 font-mono text-xs leading-5 break-words">{ours}</td>
                  <td
                    className={cx(
                      "py-0.5 font-mono text-xs leading-5 break-words",
                      ours !== theirs && name !== "State" && record && host && "font-semibold text-bad",
                      !host && "text-ink-3",
                    )}
                  >
                    {theirs}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        <ul className="space-y-1">
          {cells.map(({ disk, cell }) => (
            <li key={disk} className={cx("flex items-center gap-2", past && "hatched")}>
              <span className="w-10 font-mono text-xs">{disk}</span>
              <CellSign state={cell.state} past={past} />
              <span className="flex-1 truncate" title={CELL_WORDS[cell.state].hint}>
                {CELL_WORDS[cell.state].label}
                {cell.dirtyBytes !== null && <span className="text-ink-2">, {formatBytes(cell.dirtyBytes)} dirty</span>}
              </span>
              {cell.state !== "missing" && cell.state !== "not-covered" && cell.state !== "cannot-tell" && (
                <Button size="sm" look="quiet" onClick={() => props.onExtents(disk)} aria-label={`Extents on ${disk}`}>
                  Extents
                </Button>
              )}
            </li>
          ))}
        </ul>
        <div className="flex flex-wrap gap-x-2">
          <Button size="sm" look="quiet" className="-ml-2" onClick={props.onCopy}>
            <Copy size={14} aria-hidden /> Copy as text
          </Button>
          {record && (
            <Button size="sm" look="quiet" unavailable={props.noPrune} onClick={props.onPrune}>
              <Scissors size={14} aria-hidden /> Prune up to here…
            </Button>
          )}
        </div>
      </div>
    </section>
  );
}
