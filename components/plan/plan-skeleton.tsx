import { Skeleton } from "#components/ui/skeleton.tsx";

/** The plan's own layout without its content. */
export function PlanSkeleton() {
  return (
    <div aria-busy="true" className="mx-auto max-w-6xl space-y-4 px-3 py-4 sm:px-4">
      <span className="sr-only">Loading the plan</span>
      <Skeleton className="h-4 w-40" />
      <Skeleton className="h-7 w-80 max-w-full" />
      <div className="grid gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <Skeleton className="h-64 rounded-lg" />
        <Skeleton className="h-64 rounded-lg" />
        <Skeleton className="h-80 rounded-lg" />
      </div>
    </div>
  );
}
