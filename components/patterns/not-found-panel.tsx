/**
 * An address that leads nowhere, inside the console and outside of it. A plain anchor: this panel belongs to every route,
 * and the router's link would come with each of them a second time for the page outside the console.
 */
export function NotFoundPanel() {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center gap-2 px-4 py-24 text-center">
      <h1 className="text-lg font-semibold">There is nothing at this address</h1>
      <p className="text-pretty text-ink-2">
        The VM, host, plan or job may have been removed, or the link is cut off. Ids in links are complete UUIDs.
      </p>
      <a href="/vms" className="mt-3 inline-flex min-h-8 items-center font-medium underline underline-offset-2">
        Go to the fleet
      </a>
    </div>
  );
}
