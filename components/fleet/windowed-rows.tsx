"use client";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useState } from "react";
import { FleetRow, type RowsProps } from "./fleet-rows.tsx";

const ROW_PX = 45;
/** Rows from the end of what is loaded at which the next page is asked for. */
const AHEAD = 40;

/** A long list over the window's own scroll: only rows in sight are mounted, more are asked for on the way down. */
export function WindowedRows(props: RowsProps) {
  const { body, rows, hasMore, isLoadingMore, onNeedMore, scrollTo, onMounted } = props;
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop(body.current ? body.current.getBoundingClientRect().top + window.scrollY : 0), [body]);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_PX,
    overscan: 8,
    scrollMargin: top,
    getItemKey: (index) => rows[index]?.id ?? index,
    scrollPaddingStart: 96,
    scrollPaddingEnd: 16,
    initialRect: { width: 1280, height: 900 },
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !isLoadingMore && last >= rows.length - AHEAD) onNeedMore();
  }, [hasMore, isLoadingMore, last, rows.length, onNeedMore]);
  useEffect(() => {
    scrollTo.current = (index) => virtual.scrollToIndex(index, { align: "auto" });
    return () => {
      scrollTo.current = null;
    };
  }, [virtual, scrollTo]);
  useEffect(onMounted);
  return (
    <div ref={body} role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
      {items.map((item) => {
        const row = rows[item.index];
        if (!row) return null;
        return (
          <FleetRow
            key={item.key}
            ref={virtual.measureElement}
            row={row}
            index={item.index}
            isLast={item.index === rows.length - 1}
            isSelected={props.selected.has(row.id)}
            onToggle={props.onToggle}
            className="absolute! inset-x-0 top-0"
            style={{ transform: `translateY(${item.start - virtual.options.scrollMargin}px)` }}
          />
        );
      })}
    </div>
  );
}
