"use client";
import type { InfiniteData, UseInfiniteQueryResult } from "@tanstack/react-query";
import { type ReactNode, useRef } from "react";
import { useIsOld } from "#client/is-old.ts";
import { useRowKeys } from "#client/row-keys.ts";
import { Button } from "#components/ui/button.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import { ErrorPanel, OldNotice } from "./state-panel.tsx";

export type Column<T> = { title: string; cell: (item: T) => ReactNode };
type Page<T> = { items: T[]; nextCursor: string | null; total: number };

/** A plain table over a paged list, with its loading, error and empty states. Below 768 px each row is a block. */
export function ListRows<T>(props: {
  query: UseInfiniteQueryResult<InfiniteData<Page<T>>>;
  label: string;
  columns: readonly Column<T>[];
  keyOf: (item: T) => string;
  empty: ReactNode;
}) {
  const { query, label, columns } = props;
  const isOld = useIsOld(query);
  const body = useRef<HTMLTableSectionElement>(null);
  useRowKeys(body);
  if (query.isPending) {
    return (
      <div aria-busy="true" className="mt-3 space-y-px">
        <span className="sr-only">Loading {label.toLowerCase()}</span>
        <Skeleton className="h-8 w-full" />
        <Skeleton className="h-40 w-full" />
      </div>
    );
  }
  if (!query.data) {
    return <ErrorPanel what={`${label} cannot be shown`} error={query.error} onRetry={() => query.refetch()} />;
  }
  const items = query.data.pages.flatMap((page) => page.items);
  const old = isOld && (
    <div className="mt-3">
      <OldNotice error={query.error} onRetry={query.refetch} />
    </div>
  );
  if (items.length === 0) {
    return (
      <>
        {old}
        {props.empty}
      </>
    );
  }
  return (
    <>
      {old}
      <div className="mt-3 overflow-x-auto rounded-lg border border-line">
        <table aria-label={label} className="w-full border-collapse text-left">
          <thead className="bg-surface text-xs text-ink-3 max-md:sr-only">
            <tr>
              {columns.map((column) => (
                <th key={column.title} scope="col" className="h-8 px-3 font-medium">
                  {column.title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody ref={body}>
            {items.map((item) => (
              <tr
                key={props.keyOf(item)}
                data-row
                tabIndex={-1}
                className="scroll-mt-24 scroll-mb-4 border-t focus-visible:-outline-offset-2 border-line align-top hover:bg-hover max-md:flex max-md:flex-wrap max-md:gap-x-3 max-md:gap-y-1 max-md:px-3 max-md:py-2.5"
              >
                {columns.map((column) => (
                  <td
                    key={column.title}
                    className="px-3 py-2 break-words max-md:max-w-full max-md:p-0 max-md:empty:hidden max-md:last:basis-full"
                  >
                    {column.cell(item)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {query.hasNextPage && (
        <div className="py-3 text-center">
          <Button onClick={() => query.fetchNextPage()} disabled={query.isFetchingNextPage}>
            {query.isFetchingNextPage ? "Loading…" : "Show more"}
          </Button>
        </div>
      )}
    </>
  );
}
