import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { VM_ID } from "#chain/limits.ts";
import { PlanView } from "#components/plan/plan-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../../engine-access.ts";

export const metadata: Metadata = { title: "Plan" };

export default async function PlanPage({ params }: { params: Promise<{ planId: string }> }) {
  const { planId } = await params;
  // Ids of plans and of VMs have one form.
  if (!VM_ID.test(planId)) notFound();
  const { state } = await prefetch(async (queries, cache) => {
    const [plan] = await Promise.all([cache.fetchQuery(queries.plan(planId)), cache.prefetchQuery(queries.me())]);
    await cache.prefetchQuery(queries.vm(plan.vmId));
  });
  return (
    <Hydrated state={state}>
      <PlanView planId={planId} />
    </Hydrated>
  );
}
