import Link from "next/link";

/** An address that leads nowhere, inside the console and outside of it. */
export function NotFoundPanel() {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center gap-2 px-4 py-24 text-center">
      <h1 className="text-lg font-semibold">There is nothing at this address</h1>
      <p className="text-pretty text-ink-2">
        The VM, host, plan or job may have been removed, or the link is cut off. Ids in links are complete UUIDs.
      </p>
      <Link href="/vms" className="mt-3 inline-flex min-h-8 items-center font-medium underline underline-offset-2">
        Go to the fleet
      </Link>
    </div>
  );
}
