"use client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link2Off } from "lucide-react";
import { useQueryStates } from "nuqs";
import { useMemo } from "react";
import { useApi } from "#client/api.ts";
import { asPast } from "#client/fleet-rows.ts";
import { formatCount, plural } from "#client/format.ts";
import { useIsOld } from "#client/is-old.ts";
import { engineQueries, toFleetFilter } from "#client/queries.ts";
import { fleetParsers } from "#client/url-state.ts";
import { PageHead } from "#components/patterns/page-head.tsx";
import { ErrorPanel, Notice, OldNotice } from "#components/patterns/state-panel.tsx";
import { Button } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";
import { loadLater } from "#components/ui/load-later.tsx";
import { CountCards } from "./count-cards.tsx";
import { FleetEmpty } from "./fleet-empty.tsx";
import { FleetFilters } from "./fleet-filters.tsx";
import { FleetSkeleton } from "./fleet-skeleton.tsx";
import { FleetTable } from "./fleet-table.tsx";
import { HostTrouble } from "./host-trouble.tsx";
import { useFleetEvents } from "./use-fleet-events.ts";
import { useSelection } from "./use-selection.ts";

// Nobody needs it to read the list.
const BulkBar = loadLater(
  () => import("./bulk-bar.tsx").then((m) => m.BulkBar),
  () => null,
);

/** The fleet: counts that filter, filters, one row a VM. Everything chosen stands in the address. */
export function FleetView() {
  const queries = engineQueries(useApi());
  const [state, setState] = useQueryStates(fleetParsers, { history: "replace" });
  const filter = useMemo(() => toFleetFilter(state), [state]);
  const list = useInfiniteQuery(queries.fleet(filter, state.cursor));
  const counts = useQuery(queries.fleetCounts(filter));
  const hosts = useQuery(queries.hosts());
  const isOld = useIsOld(list);
  const isCountOld = useIsOld(counts) || isOld;
  const known = isCountOld ? null : counts.data;
  const rows = useMemo(() => {
    const read = list.data?.pages.flatMap((page) => page.items) ?? [];
    // Green is for what is so now: without an answer the last one is the past, however fresh it was.
    return isOld ? read.map(asPast) : read;
  }, [list.data, isOld]);
  useFleetEvents();

  const { selected, toggle, toggleAll, clear } = useSelection(rows);
  const total = known?.total ?? list.data?.pages[0]?.total ?? null;
  return (
    <>
      <div className={cx("mx-auto max-w-[100rem] px-3 py-4 sm:px-4", selected.size > 0 && "pb-36 sm:pb-24")}>
        <PageHead title="VMs" detail={total === null ? null : formatCount(total)} />
        <div className="mt-3 space-y-3">
          <HostTrouble hosts={hosts.data?.items ?? []} isUnread={hosts.isError} onRetry={hosts.refetch} />
          <CountCards state={state} counts={known?.counts ?? null} isUnknown={isCountOld} onChange={setState} />
          <FleetFilters state={state} hosts={hosts.data?.items ?? []} onChange={setState} />
          {state.cursor && (
            <Notice
              icon={<Link2Off size={15} aria-hidden />}
              action={
                <Button size="sm" onClick={() => setState({ cursor: null })}>
                  From the start
                </Button>
              }
            >
              This list begins in the middle of the fleet.
            </Notice>
          )}
          {isOld && list.data && <OldNotice error={list.error} onRetry={list.refetch} />}
        </div>
        <div className="mt-3">
          {list.isPending ? (
            <FleetSkeleton />
          ) : !list.data ? (
            <ErrorPanel what="The fleet cannot be shown" error={list.error} onRetry={() => list.refetch()} />
          ) : rows.length === 0 ? (
            <FleetEmpty state={state} hosts={hosts} onReset={() => setState(null)} />
          ) : (
            <FleetTable
              rows={rows}
              total={list.data.pages[0]?.total ?? rows.length}
              hasMore={list.hasNextPage}
              isLoadingMore={list.isFetchingNextPage}
              onNeedMore={() => void list.fetchNextPage()}
              sort={state.sort}
              onSort={(sort) => setState({ sort, cursor: null })}
              selected={selected}
              onToggle={toggle}
              onToggleAll={toggleAll}
            />
          )}
        </div>
        {list.data && rows.length > 0 && !list.hasNextPage && (
          <p className="py-4 text-center text-xs text-ink-3">{plural(rows.length, "VM")} shown. That is all of them.</p>
        )}
      </div>
      {selected.size > 0 && <BulkBar ids={[...selected]} shown={rows.length} onAll={toggleAll} onClear={clear} />}
    </>
  );
}
