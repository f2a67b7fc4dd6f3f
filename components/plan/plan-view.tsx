"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";
import { canPreparePlan } from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { useCommands } from "#client/commands.tsx";
import { workTitle } from "#client/intents.ts";
import { useIsOld } from "#client/is-old.ts";
import { useLiveEvent } from "#client/live.tsx";
import { useNow } from "#client/now.ts";
import { engineQueries, hasAnswer } from "#client/queries.ts";
import { rowSituation, whyNot } from "#client/situation.ts";
import { useMakePlan } from "#client/use-make-plan.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import { ErrorPanel, OldNotice } from "#components/patterns/state-panel.tsx";
import { StepRows } from "#components/patterns/step-rows.tsx";
import { Breadcrumb } from "#components/ui/breadcrumb.tsx";
import type { PlanView as Plan } from "#contract/engine.ts";
import type { PlanRequestInput } from "#contract/engine-plans.ts";
import { PlanBasis } from "./plan-basis.tsx";
import { PlanConfirm } from "./plan-confirm.tsx";
import { PlanHead } from "./plan-head.tsx";
import { PlanOutcome } from "./plan-outcome.tsx";
import { PlanSkeleton } from "./plan-skeleton.tsx";
import { PlanStateNotice } from "./plan-state-notice.tsx";

/** One plan: what would happen in words, what it costs, every call; and whether it may still be applied. */
export function PlanView({ planId }: { planId: string }) {
  const queries = engineQueries(useApi());
  const queryClient = useQueryClient();
  const plan = useQuery(queries.plan(planId));
  const isOld = useIsOld(plan);
  const vmId = plan.data?.vmId;
  useLiveEvent((event) => {
    if ((event.type === "vm" || event.type === "job") && event.vmId === vmId) {
      void queryClient.invalidateQueries({ queryKey: ["plan", planId], predicate: hasAnswer });
      void queryClient.invalidateQueries({ queryKey: ["vm", vmId, "summary"], predicate: hasAnswer });
    }
  });
  if (plan.isPending) return <PlanSkeleton />;
  if (!plan.data) {
    return (
      <div className="px-4">
        <ErrorPanel what="This plan cannot be shown" error={plan.error} onRetry={() => plan.refetch()} />
      </div>
    );
  }
  return (
    <PlanScreen
      plan={plan.data}
      old={isOld && <OldNotice error={plan.error} onRetry={plan.refetch} />}
      onStale={() => void plan.refetch()}
    />
  );
}

function PlanScreen({ plan, old, onStale }: { plan: Plan; old: ReactNode; onStale: () => void }) {
  const now = useNow();
  const again = useMakePlan(plan.vmId);
  const queries = engineQueries(useApi());
  const me = useQuery(queries.me());
  const vm = useQuery(queries.vm(plan.vmId));
  const noPlan = vm.data
    ? whyNot(canPreparePlan(rowSituation(vm.data, me.data?.role)))
    : "It is not known yet how the VM stands.";
  // The server says so with the next read; a page that stands open must not offer what would be refused.
  const hasExpired = plan.state === "ready" && now !== null && now >= Date.parse(plan.expiresAt);
  const state = hasExpired ? "expired" : plan.state;
  const planAgain = () => again.mutate({ intent: plan.intent, params: plan.params } as PlanRequestInput);
  const title = workTitle(plan.intent, plan.vmName);
  useCommands([{ id: "plan-again", title: "Plan again", group: "Plan", unavailable: noPlan, run: planAgain }]);
  useEffect(() => {
    document.title = `${title} · Plan · Driftline`;
  }, [title]);
  return (
    <div className="mx-auto max-w-6xl space-y-4 px-3 py-3 sm:px-4">
      <div className="space-y-2">
        <Breadcrumb
          parts={[
            { href: "/vms", text: "VMs" },
            { href: `/vms/${plan.vmId}`, text: plan.vmName },
            ...(plan.groupId ? [{ href: `/plans/group/${plan.groupId}`, text: "Plan over several VMs" }] : []),
            { text: "Plan" },
          ]}
        />
        <PlanHead plan={plan} state={state} title={title} />
      </div>
      {old}
      <PlanStateNotice plan={plan} state={state} isPlanning={again.isPending} noPlan={noPlan} onAgain={planAgain} />
      {again.isError && <Refusal what="It could not be planned again" error={again.error} />}
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <PlanOutcome plan={plan} />
        <div className="min-w-0 space-y-4 lg:sticky lg:top-16 lg:col-start-2 lg:row-span-2 lg:row-start-1">
          {state === "ready" && <PlanConfirm plan={plan} onStale={onStale} />}
          <PlanBasis plan={plan} />
        </div>
        <details
          className="min-w-0 rounded-lg border border-line [&[open]>summary]:rounded-b-none [&[open]>summary]:border-b"
          open={plan.steps.length <= 200}
        >
          <summary className="cursor-pointer rounded-lg border-line px-4 py-2.5 font-semibold hover:bg-hover">
            Every step{" "}
            <span className="font-normal text-ink-3">
              {plan.steps.length}, in this order, each with the call that it makes. Only after a call that failed or was
              killed more are made, to end it or to put back what it tore off.
            </span>
          </summary>
          <StepRows
            label="Steps"
            steps={plan.steps.map((step) => ({
              ...step,
              // A plan that loses nothing has nothing to take back.
              mark:
                step.reversible || plan.tier < 2 ? null : (
                  <span className="text-warn" title="What this step removes cannot be made again.">
                    cannot be undone
                  </span>
                ),
            }))}
          />
        </details>
      </div>
    </div>
  );
}
