"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useEffect, useId, useRef, useState } from "react";
import { canApplyPlan, canConfirmPlan } from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { intentLabel } from "#client/intents.ts";
import { toProblemView } from "#client/problem.ts";
import { engineQueries } from "#client/queries.ts";
import { rowSituation, whyNot } from "#client/situation.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import { Button, buttonLook } from "#components/ui/button.tsx";
import { Check } from "#components/ui/check.tsx";
import { TextField } from "#components/ui/field.tsx";
import type { PlanView } from "#contract/engine.ts";

/** Applying: the losses to tick, the name to type, a reason for the audit log. The focus starts on Cancel. */
export function PlanConfirm({ plan, onStale }: { plan: PlanView; onStale: () => void }) {
  const api = useApi();
  const queries = engineQueries(api);
  const router = useRouter();
  const queryClient = useQueryClient();
  const me = useQuery(queries.me());
  const vm = useQuery(queries.vm(plan.vmId));
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  // One key as long as this plan is looked at: a second click or a retry finds the first one's job.
  const [idempotencyKey] = useState(() => crypto.randomUUID());
  const cancel = useRef<HTMLAnchorElement>(null);
  const why = useId();
  const confirmId = useId();
  const reasonId = useId();
  useEffect(() => cancel.current?.focus({ preventScroll: true }), []);

  const apply = useMutation({
    mutationFn: () =>
      api.plans.apply(
        {
          planId: plan.id,
          acknowledged: [...ticked],
          ...(plan.confirm === null ? {} : { confirm: typed }),
          ...(reason.trim() === "" ? {} : { reason: reason.trim() }),
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
  const unready = whyNot(canConfirmPlan(plan, { acknowledged: ticked, typed }));
  const unavailable = [refused, unready].filter((text) => text !== null).join(" ") || null;
  const tick = (id: string, isOn: boolean) => {
    const next = new Set(ticked);
    if (isOn) next.add(id);
    else next.delete(id);
    setTicked(next);
  };
  const holder = vm.data?.job ?? null;
  return (
    <form
      aria-label="Apply the plan"
      onSubmit={(event) => {
        event.preventDefault();
        if (!unavailable && !apply.isPending) apply.mutate();
      }}
      className="space-y-3 rounded-lg border border-line-strong bg-raised px-4 py-3"
    >
      <h2 className="font-semibold">{plan.losses.length > 0 ? "Lost for good" : "Apply"}</h2>
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
      {plan.confirm !== null && (
        <div>
          <label htmlFor={confirmId} className="block text-ink-2">
            Type <strong className="font-semibold text-ink select-all">{plan.confirm}</strong> to confirm
          </label>
          <TextField
            id={confirmId}
            name="confirm"
            className="mt-1 w-full"
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </div>
      )}
      <div>
        <label htmlFor={reasonId} className="block text-ink-2">
          Reason <span className="text-ink-3">(optional, kept in the audit log)</span>
        </label>
        <TextField
          id={reasonId}
          name="reason"
          className="mt-1 w-full"
          maxLength={1000}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
      </div>
      {apply.isError && (
        <Refusal what="It was not applied" error={apply.error}>
          {holder && (
            <Link href={`/jobs/${holder.id}`} className="inline-block py-0.5 font-medium underline underline-offset-2">
              {intentLabel(holder.kind)} holds the VM: open that job
            </Link>
          )}
        </Refusal>
      )}
      <div className="flex flex-wrap gap-2">
        <Link ref={cancel} href={`/vms/${plan.vmId}`} className={buttonLook()}>
          Cancel
        </Link>
        <Button
          type="submit"
          look="primary"
          disabled={apply.isPending}
          unavailable={unavailable}
          aria-describedby={why}
        >
          {apply.isPending ? "Applying…" : "Apply"}
        </Button>
      </div>
      <p id={why} className="text-xs text-ink-3">
        {unavailable ?? "It runs once, as a job that you can follow and cancel."}
        {refused && holder && (
          <>
            {" "}
            <Link href={`/jobs/${holder.id}`} className="underline underline-offset-2">
              Open the job that holds it
            </Link>
          </>
        )}
      </p>
    </form>
  );
}
