"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ClockAlert } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { canBulk } from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { plural } from "#client/format.ts";
import { INTENT_WORDS } from "#client/intents.ts";
import { useIsOld } from "#client/is-old.ts";
import { useLiveEvent } from "#client/live.tsx";
import { useNow } from "#client/now.ts";
import { engineQueries, hasAnswer } from "#client/queries.ts";
import { whyNot } from "#client/situation.ts";
import { useMakePlanGroup } from "#client/use-make-plan.ts";
import { Moment } from "#components/patterns/moment.tsx";
import { Refusal } from "#components/patterns/refusal.tsx";
import { ErrorPanel, Notice, OldNotice } from "#components/patterns/state-panel.tsx";
import { Breadcrumb } from "#components/ui/breadcrumb.tsx";
import { Button } from "#components/ui/button.tsx";
import type { PlanGroup } from "#contract/engine.ts";
import { GroupConfirm } from "./group-confirm.tsx";
import { GroupPart } from "./group-part.tsx";
import { acknowledgedOf, askedAgain, isAccepted, standingOf } from "./group-state.ts";
import { PlanSkeleton } from "./plan-skeleton.tsx";

/** One plan over several VMs: a part for each, with what would happen there or why nothing can. */
export function GroupView({ groupId }: { groupId: string }) {
  const group = useQuery(engineQueries(useApi()).planGroup(groupId));
  const isOld = useIsOld(group);
  if (group.isPending) return <PlanSkeleton />;
  if (!group.data) {
    return (
      <div className="px-4">
        <ErrorPanel what="This plan cannot be shown" error={group.error} onRetry={() => group.refetch()} />
      </div>
    );
  }
  const old = isOld && <OldNotice error={group.error} onRetry={group.refetch} />;
  return <GroupScreen group={group.data} old={old} />;
}

function GroupScreen({ group, old }: { group: PlanGroup; old: ReactNode }) {
  const api = useApi();
  const queries = engineQueries(api);
  const queryClient = useQueryClient();
  const now = useNow();
  const again = useMakePlanGroup();
  const standing = standingOf(group, now);
  const { runnable, started, expired, outOfDate, refused } = standing;
  const asked = askedAgain(group, standing);
  const me = useQuery(queries.me());
  const noPlan = whyNot(
    canBulk({ role: me.data?.role ?? "viewer", needs: "support", count: asked?.vmIds.length ?? 0 }),
  );
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  const [idempotencyKey] = useState(() => crypto.randomUUID());
  const jobs = useQuery({ ...queries.groupJobs(group.id), enabled: group.parts.some((part) => part.plan?.jobId) });
  useLiveEvent((event) => {
    if ((event.type !== "job" && event.type !== "vm") || !group.parts.some(({ vmId }) => vmId === event.vmId)) return;
    for (const queryKey of [
      ["plan-group", group.id],
      ["group-jobs", group.id],
    ])
      void queryClient.invalidateQueries({ queryKey, predicate: hasAnswer });
  });
  const apply = useMutation({
    mutationFn: ({ confirm, reason }: { confirm: string; reason: string }) =>
      api.planGroups.apply(
        {
          groupId: group.id,
          confirm,
          acknowledged: acknowledgedOf(runnable, ticked),
          ...(reason === "" ? {} : { reason }),
        },
        { context: { idempotencyKey } },
      ),
    onSettled: () => {
      void queryClient.invalidateQueries({ queryKey: ["plan-group", group.id] });
      void queryClient.invalidateQueries({ queryKey: ["group-jobs", group.id] });
    },
  });
  const title = `${INTENT_WORDS[group.intent].label} ${plural(group.parts.length, "VM")}`;
  useEffect(() => {
    document.title = `${title} · Plan · Driftline`;
  }, [title]);
  const refusals = new Map(apply.data?.parts.map((part) => [part.vmId, part.refusal]));
  return (
    <div className="mx-auto max-w-6xl space-y-4 px-3 py-3 sm:px-4">
      <div className="space-y-2">
        <Breadcrumb parts={[{ href: "/vms", text: "VMs" }, { text: "Plan over several VMs" }]} />
        <div className="flex flex-wrap items-center gap-x-4 gap-y-1.5">
          <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
          <span className="text-ink-2">
            made <Moment at={group.createdAt} /> by {group.createdBy}
          </span>
          {runnable.length > 0 && (
            <span className="text-ink-2">
              expires <Moment at={group.expiresAt} />
            </span>
          )}
        </div>
        <p className="text-ink-2">
          {[
            `${runnable.length} can run`,
            started.length > 0 ? `${started.length} applied` : null,
            expired.length > 0 ? `${expired.length} expired` : null,
            outOfDate.length > 0 ? `${outOfDate.length} out of date` : null,
            refused.length > 0 ? `${refused.length} cannot` : null,
          ]
            .filter((text) => text !== null)
            .join(", ")}
          . Each VM runs on its own: one that fails does not stop the others.
        </p>
      </div>
      {old}
      {asked && (
        <Notice
          icon={<ClockAlert size={16} aria-hidden />}
          action={
            <Button
              look="primary"
              size="sm"
              unavailable={noPlan}
              disabled={again.isPending}
              onClick={() => again.mutate(asked)}
            >
              {again.isPending ? "Planning…" : "Plan again"}
            </Button>
          }
        >
          <p className="font-medium">
            {expired.length > 0
              ? "This plan has expired."
              : `What this plan stands on has changed for ${plural(outOfDate.length, "VM")}.`}
          </p>
          <p className="text-ink-2">
            {runnable.length > 0 ? "The others can still be applied." : "Nothing more of it can be applied."} Plan again
            to see what would happen now.
          </p>
        </Notice>
      )}
      {again.isError && <Refusal what="It could not be planned again" error={again.error} />}
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
        {runnable.length > 0 && (
          <div className="max-lg:order-last lg:sticky lg:top-16 lg:col-start-2 lg:row-start-1">
            <GroupConfirm
              group={group}
              count={runnable.length}
              openLosses={runnable.filter((part) => !isAccepted(part, ticked)).length}
              isPending={apply.isPending}
              error={apply.error}
              onApply={(confirm, reason) => apply.mutate({ confirm, reason })}
            />
          </div>
        )}
        <ul
          aria-label="Parts"
          className="min-w-0 divide-y divide-line rounded-lg border border-line lg:col-start-1 lg:row-start-1 only:lg:col-span-2"
        >
          {group.parts.map((part) => (
            <GroupPart
              key={part.vmId}
              part={part}
              refusal={refusals.get(part.vmId) ?? null}
              job={jobs.data?.find((job) => job.id === part.plan?.jobId) ?? null}
              state={expired.some(({ vmId }) => vmId === part.vmId) ? "expired" : (part.plan?.state ?? null)}
              ticked={ticked}
              onTick={(tick, isOn) =>
                setTicked((old) => new Set(isOn ? [...old, tick] : [...old].filter((one) => one !== tick)))
              }
            />
          ))}
        </ul>
      </div>
    </div>
  );
}
