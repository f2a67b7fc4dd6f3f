import { ArrowDown, ArrowUp } from "lucide-react";
import type { FLEET_SORTS } from "#client/url-state.ts";
import { cx } from "#components/ui/cx.ts";
import { ROW_GRID } from "./vm-row.tsx";

export type Sort = (typeof FLEET_SORTS)[number];
const COLUMNS: readonly { title: string; up?: Sort; down?: Sort; right?: boolean }[] = [
  { title: "Name", up: "name", down: "-name" },
  { title: "Host", up: "host" },
  { title: "Power" },
  { title: "Agreement" },
  { title: "Next backup" },
  { title: "Observed", up: "observed", down: "-observed" },
  { title: "Findings", down: "severity" },
  { title: "Chain", up: "checkpoints", down: "-checkpoints", right: true },
  { title: "Disks", right: true },
  { title: "Last good backup" },
];

type Props = {
  /** Rows that are loaded, and whether all or some of them are selected. */
  shown: number;
  isAll: boolean;
  isSome: boolean;
  onToggleAll: () => void;
  sort: Sort;
  onSort: (sort: Sort) => void;
};

/**
 * The head of the list: names of the columns, which also order it, and the box for all rows. Where the rows are cards it
 * is for screen readers alone and takes no focus, which nobody would see: the order is chosen above the list.
 */
export function FleetHead({ shown, isAll, isSome, onToggleAll, sort, onSort }: Props) {
  return (
    <div role="rowgroup" className="sticky top-12 z-10 rounded-t-lg border-b border-line bg-surface max-xl:sr-only">
      <div role="row" aria-rowindex={1} className={cx(ROW_GRID, "px-3 text-xs font-medium text-ink-3")}>
        <div role="columnheader" className="-ml-1.5 flex">
          <span className="xl:hidden">Selected</span>
          <label className="grid size-7 max-xl:hidden cursor-pointer place-items-center rounded-sm hover:bg-hover">
            <input
              ref={(box) => {
                if (box) box.indeterminate = isSome && !isAll;
              }}
              type="checkbox"
              aria-label={`Select all ${shown} shown`}
              className="size-4 accent-[var(--ink)]"
              checked={isAll}
              onChange={onToggleAll}
            />
          </label>
        </div>
        {COLUMNS.map((column) => (
          <ColumnHead key={column.title} {...column} sort={sort} onSort={onSort} />
        ))}
      </div>
    </div>
  );
}

function ColumnHead(props: (typeof COLUMNS)[number] & { sort: Sort; onSort: (sort: Sort) => void }) {
  const { title, up, down, right, sort } = props;
  const isUp = up !== undefined && sort === up;
  const isDown = down !== undefined && sort === down;
  const next = isUp ? (down ?? up) : isDown ? (up ?? down) : (up ?? down);
  return (
    <div
      role="columnheader"
      aria-sort={isUp ? "ascending" : isDown ? "descending" : undefined}
      className={cx("flex min-w-0", right && "justify-end")}
    >
      <span className={cx("flex h-8 items-center", next && "xl:hidden")}>{title}</span>
      {next && (
        <button
          type="button"
          onClick={() => props.onSort(next)}
          className={cx(
            "-mx-1 flex h-8 items-center gap-1 rounded-sm px-1 hover:text-ink max-xl:hidden",
            (isUp || isDown) && "text-ink",
          )}
        >
          {title}
          {isUp && <ArrowUp size={12} aria-hidden />}
          {isDown && <ArrowDown size={12} aria-hidden />}
        </button>
      )}
    </div>
  );
}
