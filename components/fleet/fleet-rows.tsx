import type { CSSProperties, Ref, RefObject } from "react";
import { cx } from "#components/ui/cx.ts";
import type { VmRow } from "#contract/engine-vms.ts";
import { ROW_GRID, VmRowView } from "./vm-row.tsx";

export type RowsProps = {
  body: RefObject<HTMLDivElement | null>;
  rows: VmRow[];
  selected: ReadonlySet<string>;
  onToggle: (index: number, isRange: boolean) => void;
  hasMore: boolean;
  isLoadingMore: boolean;
  onNeedMore: () => void;
  /** Set by whoever mounts only a part of the rows: brings one into sight. */
  scrollTo: RefObject<((index: number) => void) | null>;
  /** Rows have been mounted that were not there before. */
  onMounted: () => void;
};

/** Rows that stand in the page as they are. Of a longer list this is what is drawn first. */
export const MOST_ROWS = 60;
const FIRST_ROWS = 30;

export function PlainRows({ body, rows, selected, onToggle }: RowsProps) {
  const shown = rows.length > MOST_ROWS ? rows.slice(0, FIRST_ROWS) : rows;
  return (
    <div ref={body} role="rowgroup">
      {shown.map((row, index) => (
        <FleetRow
          key={row.id}
          row={row}
          index={index}
          isLast={index === rows.length - 1}
          isSelected={selected.has(row.id)}
          onToggle={onToggle}
        />
      ))}
    </div>
  );
}

/** One row of the list, wherever it is placed. */
export function FleetRow(props: {
  row: VmRow;
  index: number;
  isLast: boolean;
  isSelected: boolean;
  onToggle: (index: number, isRange: boolean) => void;
  ref?: Ref<HTMLDivElement>;
  className?: string;
  style?: CSSProperties;
}) {
  const { row, index, isSelected } = props;
  return (
    <div
      ref={props.ref}
      data-index={index}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      style={props.style}
      className={cx(
        ROW_GRID,
        "relative min-h-11 scroll-mt-24 scroll-mb-4 border-b border-line px-3 has-[[data-row-link]:focus-visible]:bg-selected",
        props.isLast && "border-b-0",
        isSelected ? "bg-selected" : "hover:bg-hover",
        props.className,
      )}
    >
      <VmRowView row={row} index={index} isSelected={isSelected} onToggle={props.onToggle} />
    </div>
  );
}
