import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { VM_ID } from "#chain/limits.ts";
import { GroupView } from "#components/plan/group-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../../../engine-access.ts";

export const metadata: Metadata = { title: "Plan over several VMs" };

export default async function PlanGroupPage({ params }: { params: Promise<{ groupId: string }> }) {
  const { groupId } = await params;
  // Ids of groups and of VMs have one form.
  if (!VM_ID.test(groupId)) notFound();
  const { state } = await prefetch((queries, cache) =>
    Promise.all([cache.fetchQuery(queries.planGroup(groupId)), cache.prefetchQuery(queries.me())]),
  );
  return (
    <Hydrated state={state}>
      <GroupView groupId={groupId} />
    </Hydrated>
  );
}
