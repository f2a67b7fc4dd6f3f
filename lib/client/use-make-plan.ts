"use client";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { type ActorRole, hasRole } from "#chain/can.ts";
import type { BackupMode } from "#chain/plan/model.ts";
import type { PlanView } from "#contract/engine.ts";
import type { PlanRequestInput } from "#contract/engine-plans.ts";
import { useApi } from "./api.ts";
import { notifyProblem } from "./notify.ts";
import { engineQueries } from "./queries.ts";

/** Goes to a plan that was just made; says where there is none. */
function useShowPlan() {
  const api = useApi();
  const router = useRouter();
  const queryClient = useQueryClient();
  return {
    onSuccess: (plan: PlanView) => {
      queryClient.setQueryData(engineQueries(api).plan(plan.id).queryKey, plan);
      router.push(`/plans/${plan.id}`);
    },
    // Beside the button that asked, the screen says more; the palette has no such place.
    onError: (error: unknown) => notifyProblem("There is no plan", error),
  };
}

/** Asks for a plan and goes to its page. Nothing happens to the VM. `variables` is what is being asked for. */
export function useMakePlan(vmId: string) {
  const api = useApi();
  return useMutation({
    mutationFn: (request: PlanRequestInput) => api.plans.create({ vmId, ...request }),
    ...useShowPlan(),
  });
}

/** Asks again what the plan of a job asked, as the VM stands now, and goes to the new plan. */
export function usePlanAgain({ vmId, planId }: { vmId: string; planId: string | null }) {
  const api = useApi();
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: async () => {
      if (planId === null) throw new Error("This job came from no plan.");
      const { intent, params } = await queryClient.fetchQuery(engineQueries(api).plan(planId));
      return api.plans.create({ vmId, ...({ intent, params } as PlanRequestInput) });
    },
    ...useShowPlan(),
  });
}

/** What a screen offers plans through: why not, what is being planned, and what was refused. */
export type Planning = {
  noPlan: string | null;
  plan: (request: PlanRequestInput) => void;
  /** Is this very request being planned? */
  isPlanning: (request: PlanRequestInput) => boolean;
  /** Why this very request gave no plan, or null. */
  refusalOf: (request: PlanRequestInput) => unknown;
};

/** `useMakePlan` for many buttons: each finds its own progress and its own refusal by what it asks for. */
export function usePlanning(vmId: string, noPlan: string | null): Planning {
  const make = useMakePlan(vmId);
  const asked = JSON.stringify(make.variables);
  const isAsked = (request: PlanRequestInput) => asked === JSON.stringify(request);
  return {
    noPlan,
    plan: (request) => {
      if (!make.isPending) make.mutate(request);
    },
    isPlanning: (request) => make.isPending && isAsked(request),
    refusalOf: (request) => (make.isError && isAsked(request) ? make.error : null),
  };
}

/** The same over several VMs: one plan with a part for each. */
export function useMakePlanGroup() {
  const api = useApi();
  const router = useRouter();
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (input: { vmIds: string[]; request: PlanRequestInput }) => api.planGroups.create(input),
    onSuccess: (group) => {
      queryClient.setQueryData(engineQueries(api).planGroup(group.id).queryKey, group);
      router.push(`/plans/group/${group.id}`);
    },
  });
}

/**
 * One click to a backup: plans it and applies the plan at once when it loses nothing and asks for nothing, then goes to
 * the job. A plan that does ask is shown instead.
 */
export function useBackUpNow(vmId: string, role: ActorRole) {
  const api = useApi();
  const router = useRouter();
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: async (mode: BackupMode) => {
      const plan = await api.plans.create({ vmId, intent: "backup", params: { mode } });
      const asks = plan.losses.length > 0 || plan.confirm !== null || plan.tier > 1 || !hasRole(role, plan.role);
      if (asks || plan.state !== "ready") return `/plans/${plan.id}`;
      const job = await api.plans.apply({ planId: plan.id }, { context: { idempotencyKey: plan.id } });
      return `/jobs/${job.id}`;
    },
    onSuccess: (where) => {
      void queryClient.invalidateQueries({ queryKey: ["vm", vmId, "summary"] });
      router.push(where);
    },
  });
}
