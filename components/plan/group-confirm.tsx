"use client";
import { useQuery } from "@tanstack/react-query";
import { canBulk } from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { plural } from "#client/format.ts";
import { engineQueries } from "#client/queries.ts";
import { whyNot } from "#client/situation.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import type { PlanGroup } from "#contract/engine.ts";
import { ConfirmForm } from "./confirm-form.tsx";

/** Applying a plan over several VMs: every VM's losses ticked, the number typed. */
export function GroupConfirm(props: {
  group: PlanGroup;
  count: number;
  /** VMs whose losses are not ticked yet. */
  openLosses: number;
  isPending: boolean;
  error: unknown;
  onApply: (confirm: string, reason: string) => void;
}) {
  const { group, count, openLosses } = props;
  const me = useQuery(engineQueries(useApi()).me());
  const needs = group.parts.some((part) => part.plan?.role === "operator") ? "operator" : "support";
  const refused = whyNot(canBulk({ role: me.data?.role ?? "viewer", needs, count }));
  const unready = (typed: string) => [
    openLosses > 0 ? `Tick what is lost first: ${plural(openLosses, "VM")} left.` : null,
    typed === group.confirm ? null : `Type “${group.confirm}” to confirm.`,
  ];
  return (
    <ConfirmForm
      title={`Apply to ${plural(count, "VM")}`}
      confirm={group.confirm}
      back="/vms"
      whyNot={(typed) => [refused, ...unready(typed)].filter((text) => text !== null).join(" ") || null}
      note="Each VM gets a job of its own."
      refusal={props.error !== null && <Refusal what="It was not applied" error={props.error} />}
      isPending={props.isPending}
      onApply={props.onApply}
    />
  );
}
