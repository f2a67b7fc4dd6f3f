"use client";
import { useState } from "react";
import { plural } from "#client/format.ts";
import type { Planning } from "#client/use-make-plan.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { TextField } from "#components/ui/field.tsx";
import type { PlanRequestInput } from "#contract/engine-plans.ts";
import type { Chain } from "#contract/engine-vms.ts";

export type PruneRule = "keep" | "older" | "upTo";
const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;

/** Which old checkpoints should go. The answer is a plan; nothing is deleted from here. */
export function PruneDialog(props: {
  chain: Chain;
  /** The selected checkpoint, if it is recorded. */
  selected: string | null;
  startWith: PruneRule;
  planning: Planning;
  onClose: () => void;
}) {
  const { chain, selected, planning } = props;
  const recorded = chain.record.checkpoints;
  const [rule, setRule] = useState<PruneRule>(props.startWith);
  const [keep, setKeep] = useState(String(Math.max(1, Math.min(14, recorded.length - 1))));
  const [before, setBefore] = useState(() => new Date(Date.now() - DEFAULT_DAYS * DAY_MS).toISOString().slice(0, 10));
  const request = toRequest(rule, { keep, before, selected });
  const older = recorded.filter((checkpoint) => Date.parse(checkpoint.createdAt) < Date.parse(before)).length;
  const refusal = request && planning.refusalOf(request);
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && props.onClose()}
      title="Prune checkpoints"
      description={`${plural(recorded.length, "checkpoint")} recorded for ${chain.vm.name}. Backups that were made stay; what goes is the means to continue from them.`}
    >
      <form
        className="space-y-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (request) planning.plan(request);
        }}
      >
        <fieldset className="space-y-2">
          <legend className="sr-only">Which go</legend>
          <Choice name="keep" rule={rule} onRule={setRule} label="Keep the newest of the current line">
            <TextField
              type="number"
              className="w-20"
              min={1}
              max={recorded.length}
              aria-label="How many to keep"
              value={keep}
              onFocus={() => setRule("keep")}
              onChange={(event) => setKeep(event.target.value)}
            />
          </Choice>
          <Choice name="older" rule={rule} onRule={setRule} label="Those made before">
            <TextField
              type="date"
              className="w-40"
              aria-label="Made before this day (UTC)"
              value={before}
              onFocus={() => setRule("older")}
              onChange={(event) => setBefore(event.target.value)}
            />
            <span className="text-ink-2">
              (UTC){Number.isNaN(Date.parse(before)) ? "" : `, ${older} of ${recorded.length}`}
            </span>
          </Choice>
          <Choice name="upTo" rule={rule} onRule={setRule} label="Up to the selected one" disabled={selected === null}>
            {selected === null ? (
              <span className="text-ink-2">None is selected in the chain.</span>
            ) : (
              <span className="min-w-0 font-mono text-xs break-all text-ink-2">{selected}</span>
            )}
          </Choice>
        </fieldset>
        {refusal !== null && refusal !== undefined && <Refusal what="There is no plan" error={refusal} />}
        <div className="flex flex-wrap justify-end gap-2 pt-1">
          <Button onClick={props.onClose}>Close</Button>
          <Button
            type="submit"
            look="primary"
            disabled={request !== null && planning.isPlanning(request)}
            unavailable={planning.noPlan ?? (request === null ? "Say first which checkpoints go." : null)}
          >
            {request && planning.isPlanning(request) ? "Planning…" : "Show the plan"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Choice(props: {
  name: PruneRule;
  rule: PruneRule;
  onRule: (rule: PruneRule) => void;
  label: string;
  disabled?: boolean;
  children: React.ReactNode;
}) {
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
      <label className="flex min-h-8 cursor-pointer items-center gap-2.5 has-disabled:cursor-not-allowed has-disabled:text-ink-3">
        <input
          type="radio"
          name="prune-rule"
          className="size-4 accent-[var(--ink)]"
          checked={props.rule === props.name}
          disabled={props.disabled}
          onChange={() => props.onRule(props.name)}
        />
        {props.label}
      </label>
      {props.children}
    </div>
  );
}

function toRequest(
  rule: PruneRule,
  { keep, before, selected }: { keep: string; before: string; selected: string | null },
): PlanRequestInput | null {
  if (rule === "keep") {
    const keepLast = Number(keep);
    return Number.isInteger(keepLast) && keepLast >= 1 ? { intent: "prune", params: { keepLast } } : null;
  }
  if (rule === "older") {
    const time = Date.parse(`${before}T00:00:00Z`);
    return Number.isNaN(time) ? null : { intent: "prune", params: { olderThan: new Date(time).toISOString() } };
  }
  return selected === null ? null : { intent: "prune", params: { upTo: selected } };
}
