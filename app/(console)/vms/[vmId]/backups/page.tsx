import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { VM_ID } from "#chain/limits.ts";
import { BackupsView } from "#components/backup/backups-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../../../engine-access.ts";

export const metadata: Metadata = { title: "Backups" };

export default async function BackupsPage({ params }: { params: Promise<{ vmId: string }> }) {
  const { vmId } = await params;
  if (!VM_ID.test(vmId)) notFound();
  const { state } = await prefetch((queries, cache) =>
    Promise.all([
      cache.fetchQuery(queries.vm(vmId)),
      cache.fetchInfiniteQuery(queries.backupHistory(vmId)),
      cache.prefetchQuery(queries.me()),
    ]),
  );
  return (
    <Hydrated state={state}>
      <BackupsView vmId={vmId} />
    </Hydrated>
  );
}
