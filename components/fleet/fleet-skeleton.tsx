import { Skeleton } from "#components/ui/skeleton.tsx";
import { ROW_GRID } from "./vm-row.tsx";

/** The list's own layout without its content. */
export function FleetSkeleton() {
  return (
    <div aria-busy="true" className="rounded-lg border border-line">
      <span className="sr-only">Loading VMs</span>
      {Array.from({ length: 9 }, (_, row) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no identity
          key={row}
          className={`${ROW_GRID} min-h-11 border-b border-line px-3 last:border-b-0`}
        >
          <Skeleton className="size-4" />
          <Skeleton className="h-4 w-40" />
          <Skeleton className="h-4 w-16" />
          <Skeleton className="h-4 w-14" />
          <Skeleton className="h-4 w-20" />
          <Skeleton className="h-4 w-20" />
          <Skeleton className="h-4 w-24" />
          <Skeleton className="h-5 w-44" />
          <Skeleton className="h-4 w-8" />
          <Skeleton className="h-4 w-6" />
          <Skeleton className="h-4 w-28" />
        </div>
      ))}
    </div>
  );
}
