"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { canApplyPlan, canConfirmPlan } from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { intentLabel } from "#client/intents.ts";
import { toProblemView } from "#client/problem.ts";
import { engineQueries } from "#client/queries.ts";
import { rowSituation, whyNot } from "#client/situation.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import { Check } from "#components/ui/check.tsx";
import type { PlanView } from "#contract/engine.ts";
import { ConfirmForm } from "./confirm-form.tsx";

/** Applying the plan of one VM: the losses to tick, the name to type, and who holds the VM if somebody does. */
export function PlanConfirm({ plan, onStale }: { plan: PlanView; onStale: () => void }) {
  const api = useApi();
  const queries = engineQueries(api);
  const router = useRouter();
  const queryClient = useQueryClient();
  const me = useQuery(queries.me());
  const vm = useQuery(queries.vm(plan.vmId));
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  // One key as long as this plan is looked at: a second click or a retry finds the first one's job.
  const [idempotencyKey] = useState(() => crypto.randomUUID());

  const apply = useMutation({
    mutationFn: ({ typed, reason }: { typed: string; reason: string }) =>
      api.plans.apply(
        {
          planId: plan.id,
          acknowledged: [...ticked],
          ...(plan.confirm === null ? {} : { confirm: typed }),
          ...(reason === "" ? {} : { reason }),
        },
        { context: { idempotencyKey } },
      ),
    onSuccess: (job) => {
      void queryClient.invalidateQueries({ queryKey: ["plan", plan.id] });
      void queryClient.invalidateQueries({ queryKey: ["vm", plan.vmId, "summary"] });
      router.push(`/jobs/${job.id}`);
    },
    onError: (error) => {
      const { code } = toProblemView(error);
      if (code === "plan_out_of_date" || code === "conflict") onStale();
      if (code === "vm_busy") void vm.refetch();
    },
  });

  const allowed = vm.data ? canApplyPlan(rowSituation(vm.data, me.data?.role), plan.role) : null;
  const refused = allowed === null ? "It is not known yet how the VM stands." : whyNot(allowed);
  const unready = (typed: string) => whyNot(canConfirmPlan(plan, { acknowledged: ticked, typed }));
  const tick = (id: string, isOn: boolean) =>
    setTicked((old) => new Set(isOn ? [...old, id] : [...old].filter((one) => one !== id)));
  const holder = vm.data?.job ?? null;
  const toHolder = (text: string) =>
    holder && (
      <Link href={`/jobs/${holder.id}`} className="inline-block py-0.5 font-medium underline underline-offset-2">
        {text}
      </Link>
    );
  return (
    <ConfirmForm
      title={plan.losses.length > 0 ? "Lost for good" : "Apply"}
      confirm={plan.confirm}
      back={`/vms/${plan.vmId}`}
      whyNot={(typed) => [refused, unready(typed)].filter((text) => text !== null).join(" ") || null}
      note="It runs once, as a job that you can follow and cancel."
      help={refused && toHolder("Open the job that holds it")}
      refusal={
        apply.isError && (
          <Refusal what="It was not applied" error={apply.error}>
            {holder && toHolder(`${intentLabel(holder.kind)} holds the VM: open that job`)}
          </Refusal>
        )
      }
      isPending={apply.isPending}
      onApply={(typed, reason) => apply.mutate({ typed, reason })}
    >
      {plan.losses.length > 0 ? (
        <fieldset className="space-y-0.5">
          <legend className="mb-1 text-ink-2">Tick each to say that you have read it.</legend>
          {plan.losses.map((loss) => (
            <Check
              key={loss.id}
              checked={ticked.has(loss.id)}
              onChange={(event) => tick(loss.id, event.target.checked)}
            >
              {loss.text}
            </Check>
          ))}
        </fieldset>
      ) : (
        <p className="text-ink-2">
          {plan.tier === 0 ? "This only reads." : "Nothing is lost: what this changes can be made again."}
        </p>
      )}
    </ConfirmForm>
  );
}
