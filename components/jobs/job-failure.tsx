"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { canPreparePlan } from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { engineQueries } from "#client/queries.ts";
import { rowSituation, whyNot } from "#client/situation.ts";
import { usePlanAgain } from "#client/use-make-plan.ts";
import { verbLabel } from "#client/work-words.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import { Button, buttonLook } from "#components/ui/button.tsx";
import type { JobView } from "#contract/engine-jobs.ts";

type State = "failed" | "cancelled" | "lost";
const WHAT: Record<State, string> = {
  failed: "It failed",
  cancelled: "It was stopped",
  lost: "The host stopped answering, and it was given up",
};
const isState = (state: JobView["state"]): state is State => state in WHAT;

/** What can be done now. A backup that did not finish leaves nothing that could become a base. */
function nextOf({ state, kind }: JobView): string {
  if (state === "lost") return "When the host answers again, read the VM first, then plan again.";
  return kind === "backup"
    ? "No base came of it, and earlier backups stay. Planning again shows what the next one would do; nothing happens before that plan is applied."
    : "What was done stays. Planning again shows what is left to do; nothing happens before that plan is applied.";
}

/** Why a job did not get all the way: where it stopped, our words and the host's own, and what can be done now. */
export function JobFailure({ job }: { job: JobView }) {
  const queries = engineQueries(useApi());
  const me = useQuery(queries.me());
  const vm = useQuery(queries.vm(job.vmId));
  const again = usePlanAgain(job);
  if (!isState(job.state)) return null;
  const step = job.steps.find(({ state }) => state === "failed") ?? job.steps.find(({ error }) => error !== null);
  const noPlan = vm.data
    ? whyNot(canPreparePlan(rowSituation(vm.data, me.data?.role)))
    : "It is not known yet how the VM stands.";
  return (
    <section
      role="alert"
      className="space-y-2 rounded-lg border border-line bg-bad-bg px-4 py-3 data-[quiet=true]:bg-surface"
      data-quiet={job.state !== "failed"}
    >
      <div>
        <h2 className="font-semibold">
          {WHAT[job.state]}
          {job.stepsTotal > 0 && ` after ${job.stepsDone} of ${job.stepsTotal} steps`}
        </h2>
        {step && (
          <p className="text-ink-2">
            At step {step.n}: {verbLabel(step)} <span className="break-words">{step.subject}</span>
          </p>
        )}
      </div>
      {job.error && <p className="break-words">{job.error}</p>}
      {step?.hostMessage && (
        <blockquote className="rounded-md border border-line bg-bg px-3 py-2">
          <p className="text-xs text-ink-3">The host’s own words</p>
          <p className="font-mono text-xs leading-5 break-words whitespace-pre-wrap">{step.hostMessage}</p>
        </blockquote>
      )}
      <p className="text-ink-2">{nextOf(job)}</p>
      {again.isError && <Refusal what="There is no plan" error={again.error} />}
      <div className="flex flex-wrap gap-2">
        {job.planId && (
          <Button size="sm" unavailable={noPlan} disabled={again.isPending} onClick={() => again.mutate()}>
            {again.isPending ? "Planning…" : "Plan again"}
          </Button>
        )}
        <Link href={`/vms/${job.vmId}`} className={buttonLook({ size: "sm" })}>
          See the VM
        </Link>
      </div>
    </section>
  );
}
