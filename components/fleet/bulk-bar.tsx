"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { X } from "lucide-react";
import { canBulk } from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { useCommands } from "#client/commands.tsx";
import { plural } from "#client/format.ts";
import { notify } from "#client/notify.ts";
import { engineQueries } from "#client/queries.ts";
import { whyNot } from "#client/situation.ts";
import { useMakePlanGroup } from "#client/use-make-plan.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import { Button, IconButton } from "#components/ui/button.tsx";
import type { PlanRequestInput } from "#contract/engine-plans.ts";

const ACTS: readonly { id: string; label: string; hint: string; request: PlanRequestInput }[] = [
  {
    id: "redefine",
    label: "Redefine…",
    hint: "Tell libvirt again what the record says",
    request: { intent: "redefine", params: { mode: "salvage" } },
  },
  {
    id: "heal",
    label: "Heal…",
    hint: "Remove the least that makes record, libvirt and disks agree",
    request: { intent: "heal", params: { mode: "salvage" } },
  },
  {
    id: "backup",
    label: "Back up…",
    hint: "Each disk as its verdict allows",
    request: { intent: "backup", params: { mode: "auto" } },
  },
  {
    id: "full",
    label: "Full backup…",
    hint: "Every disk, whole",
    request: { intent: "backup", params: { mode: "full" } },
  },
];
/** Reads under way at once: a host answers them one after the other anyway. */
const READS_AT_ONCE = 4;

/** What can be done to the selected VMs: a plan with a part for each, or reading them now. */
export function BulkBar(props: { ids: string[]; shown: number; onAll: () => void; onClear: () => void }) {
  const { ids, shown } = props;
  const api = useApi();
  const queryClient = useQueryClient();
  const me = useQuery(engineQueries(api).me());
  const make = useMakePlanGroup();
  const bulk = { role: me.data?.role ?? "viewer", count: ids.length, needs: "support" } as const;
  const unavailable = whyNot(canBulk(bulk));
  const observe = useMutation({
    mutationFn: async () => {
      const left = [...ids];
      let failed = 0;
      const work = async () => {
        for (let vmId = left.shift(); vmId !== undefined; vmId = left.shift())
          await api.vms.observe({ vmId }).catch(() => {
            failed += 1;
          });
      };
      await Promise.all(Array.from({ length: READS_AT_ONCE }, work));
      return failed;
    },
    onSuccess: (failed) => {
      const said = `${plural(ids.length - failed, "VM")} read${failed > 0 ? `, ${failed} could not be read` : ""}.`;
      notify(said, { isError: failed > 0 });
      void queryClient.invalidateQueries({ queryKey: ["vms"] });
    },
  });
  const plan = (request: PlanRequestInput) => {
    if (!make.isPending) make.mutate({ vmIds: ids, request });
  };
  useCommands([
    ...ACTS.map(({ id, label, request }) => ({
      id: `bulk-${id}`,
      title: `${label.replace("…", "")} ${plural(ids.length, "selected VM")}…`,
      group: "Selection",
      unavailable,
      run: () => plan(request),
    })),
    {
      id: "bulk-observe",
      title: `Observe ${plural(ids.length, "selected VM")}`,
      group: "Selection",
      unavailable,
      run: () => observe.mutate(),
    },
  ]);
  return (
    <section
      aria-label="Selection"
      className="fixed inset-x-2 bottom-2 z-20 mx-auto max-w-4xl space-y-2 rounded-lg border border-line-strong bg-raised px-3 py-2 shadow-[0_8px_28px_var(--shadow)] sm:bottom-4"
    >
      {make.isError && <Refusal what="There is no plan" error={make.error} />}
      <div className="flex flex-wrap items-center gap-1.5">
        <p className="mr-1 font-medium" data-selected={ids.length}>
          {plural(ids.length, "VM")} selected
        </p>
        {ids.length < shown && (
          <Button size="sm" look="quiet" onClick={props.onAll}>
            Select all {shown} shown
          </Button>
        )}
        <div className="ml-auto flex flex-wrap items-center gap-1.5">
          {ACTS.map(({ id, label, hint, request }) => (
            <Button
              key={id}
              size="sm"
              unavailable={unavailable}
              data-hint={unavailable ?? hint}
              onClick={() => plan(request)}
            >
              {make.isPending && make.variables.request === request ? "Planning…" : label}
            </Button>
          ))}
          <Button
            size="sm"
            unavailable={unavailable}
            disabled={observe.isPending}
            data-hint={unavailable ?? "Read them from their hosts now"}
            onClick={() => observe.mutate()}
          >
            {observe.isPending ? "Observing…" : "Observe"}
          </Button>
          <IconButton label="Clear the selection" onClick={props.onClear}>
            <X size={14} aria-hidden />
          </IconButton>
        </div>
      </div>
      {unavailable && <p className="text-xs text-ink-3">{unavailable}</p>}
    </section>
  );
}
