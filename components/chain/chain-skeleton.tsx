import { Skeleton } from "#components/ui/skeleton.tsx";

/** The chain page's own layout without its content. */
export function ChainSkeleton() {
  return (
    <div aria-busy="true" className="mx-auto max-w-[100rem] space-y-4 px-3 py-4 sm:px-4">
      <span className="sr-only">Loading the chain</span>
      <Skeleton className="h-4 w-32" />
      <div className="flex justify-between">
        <Skeleton className="h-7 w-56" />
        <Skeleton className="h-8 w-48 max-sm:hidden" />
      </div>
      <Skeleton className="h-7 w-96 max-w-full" />
      <div className="grid gap-4 xl:grid-cols-[1fr_26rem]">
        <Skeleton className="h-[32rem]" />
        <div className="space-y-4">
          <Skeleton className="h-40" />
          <Skeleton className="h-64" />
        </div>
      </div>
    </div>
  );
}
