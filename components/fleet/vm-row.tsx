import { LoaderCircle } from "lucide-react";
import Link from "next/link";
import { memo } from "react";
import { POWER_LABELS } from "#chain/words.ts";
import { formatBytes, plural } from "#client/format.ts";
import { intentLabel } from "#client/intents.ts";
import { isPast } from "#client/words.ts";
import { AxisBadge } from "#components/patterns/axis-badge.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { KindChip } from "#components/patterns/severity-mark.tsx";
import { cx } from "#components/ui/cx.ts";
import type { VmRow } from "#contract/engine-vms.ts";

/** Columns of a wide list; below that width a row becomes a small card. */
export const ROW_GRID =
  "flex flex-wrap items-center gap-x-3 gap-y-1.5 py-2.5 xl:grid xl:grid-cols-[1.75rem_minmax(8rem,1.3fr)_minmax(5rem,0.8fr)_5rem_6.75rem_8.25rem_9.5rem_minmax(10rem,2.4fr)_3rem_2.75rem_minmax(6.5rem,0.9fr)] xl:gap-y-0 xl:py-0";
/** More of them do not fit into a column; a card shows them all. */
const CHIPS = 2;

const LAST_BACKUP = { full: "Full", incremental: "Incremental", mixed: "Mixed" } as const;

/** One VM. The name is the link; the whole row leads there for the pointer. */
export const VmRowView = memo(function VmRowView(props: {
  row: VmRow;
  index: number;
  isSelected: boolean;
  /** `isRange`: from the one toggled before up to this one. */
  onToggle: (index: number, isRange: boolean) => void;
}) {
  const { row, index } = props;
  const past = isPast(row.axes.freshness) || row.error !== null;
  return (
    <>
      <div role="cell" className="relative z-[1] -ml-1.5 flex shrink-0">
        <label className="grid size-7 cursor-pointer place-items-center rounded-sm hover:bg-hover">
          <input
            type="checkbox"
            aria-label={`Select ${row.name}`}
            className="size-4 accent-[var(--ink)]"
            checked={props.isSelected}
            onChange={(event) => props.onToggle(index, (event.nativeEvent as MouseEvent).shiftKey === true)}
          />
        </label>
      </div>
      <div role="cell" className="flex min-w-0 basis-[calc(100%-2.75rem)] items-center gap-2 xl:basis-auto">
        <Link
          href={`/vms/${row.id}`}
          prefetch={false}
          data-row-link
          className="min-w-0 truncate py-0.5 font-medium after:absolute after:inset-0"
        >
          {row.name}
        </Link>
        {row.job && (
          <Link
            href={`/jobs/${row.job.id}`}
            prefetch={false}
            className="relative z-[1] inline-flex min-h-6 items-center gap-1 text-xs whitespace-nowrap text-info hover:underline"
          >
            <LoaderCircle size={13} aria-hidden className="animate-turn" /> {intentLabel(row.job.kind)}
          </Link>
        )}
      </div>
      <div role="cell" className="min-w-0 truncate text-ink-2">
        {row.hostName ?? <span className="text-ink-3">No host</span>}
      </div>
      <div role="cell" className={cx("text-ink-2", past && "hatched rounded-sm px-1")}>
        {POWER_LABELS[row.power].label}
      </div>
      <div role="cell" className="flex items-center xl:min-w-0">
        <AxisBadge
          axis={{ axis: "agreement", value: past ? row.lastKnown.agreement : row.axes.agreement }}
          past={past}
        />
      </div>
      <div role="cell" className="flex items-center xl:min-w-0">
        <AxisBadge
          axis={{ axis: "nextBackup", value: past ? row.lastKnown.nextBackup : row.axes.nextBackup }}
          past={past}
        />
      </div>
      <div role="cell" className="flex min-w-0 items-center gap-1.5">
        <AxisBadge axis={{ axis: "freshness", value: row.axes.freshness }} past={past} />
        <span className="relative truncate text-xs text-ink-3">
          {row.observedAt ? <Moment at={row.observedAt} /> : "never read"}
        </span>
      </div>
      <div
        role="cell"
        className="flex min-w-0 flex-wrap items-center gap-1 max-xl:order-last max-xl:basis-full max-xl:empty:hidden xl:py-1.5"
      >
        {row.kinds.map((kind, n) => (
          <span key={kind.kind} className={cx("flex min-w-0", n >= CHIPS && "xl:sr-only")}>
            <KindChip {...kind} past={past} />
          </span>
        ))}
        {row.kinds.length > CHIPS && (
          <span
            aria-hidden
            title={row.kinds
              .slice(CHIPS)
              .map(({ kind }) => kind)
              .join(", ")}
            className="inline-flex h-6 shrink-0 items-center text-xs text-ink-2 max-xl:hidden"
          >
            +{row.kinds.length - CHIPS}
          </span>
        )}
      </div>
      <div role="cell" className="text-right max-xl:text-left">
        {row.checkpoints}
        <span className="text-ink-3 xl:sr-only"> checkpoints</span>
      </div>
      <div role="cell" className="text-right max-xl:text-left">
        {row.disks}
        <span className="text-ink-3 xl:sr-only"> {plural(row.disks, "disk").split(" ")[1]}</span>
      </div>
      <div role="cell" className="min-w-0 truncate text-ink-2">
        {row.lastBackup ? (
          <>
            {LAST_BACKUP[row.lastBackup.kind]}
            {row.lastBackup.bytes !== null && ` ${formatBytes(row.lastBackup.bytes)}`}
            <span className="xl:sr-only">, </span>
            <Moment at={row.lastBackup.at} className="text-xs leading-4 text-ink-3 xl:block" />
          </>
        ) : (
          <span className="text-ink-3">No backup yet</span>
        )}
      </div>
    </>
  );
});
