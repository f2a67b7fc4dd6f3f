"use client";
import type { InferContractRouterOutputs } from "@orpc/contract";
import { useInfiniteQuery } from "@tanstack/react-query";
import { CircleCheck, CircleEqual, CircleSlash, CircleX, ScrollText, X } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { useRef } from "react";
import { useApi } from "#client/api.ts";
import { useCommands } from "#client/commands.tsx";
import { engineQueries } from "#client/queries.ts";
import { AUDIT_OUTCOMES, auditParsers } from "#client/url-state.ts";
import type { Tone } from "#client/words.ts";
import { TONE_TEXT } from "#components/patterns/axis-badge.tsx";
import { type Column, ListRows } from "#components/patterns/list-rows.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { PageHead } from "#components/patterns/page-head.tsx";
import { EmptyPanel } from "#components/patterns/state-panel.tsx";
import { Button } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";
import { Select, TextField } from "#components/ui/field.tsx";
import type { engineContract } from "#contract/engine.ts";

const OUTCOMES = {
  done: { word: "Done", tone: "ok", Shape: CircleCheck },
  unchanged: { word: "Nothing changed", tone: "mute", Shape: CircleEqual },
  refused: { word: "Refused", tone: "warn", Shape: CircleSlash },
  failed: { word: "Failed", tone: "bad", Shape: CircleX },
} as const satisfies Record<string, { word: string; tone: Tone; Shape: typeof CircleX }>;

type Entry = InferContractRouterOutputs<typeof engineContract>["audit"]["list"]["items"][number];

const COLUMNS: readonly Column<Entry>[] = [
  { title: "When", cell: (entry) => <Moment at={entry.at} className="whitespace-nowrap text-ink-2" /> },
  {
    title: "Who",
    cell: (entry) => (
      <span className="break-words">
        {entry.actor}
        {entry.role && <span className="text-ink-3"> ({entry.role})</span>}
      </span>
    ),
  },
  { title: "What", cell: (entry) => <span className="font-mono text-xs">{entry.action}</span> },
  {
    title: "On",
    cell: (entry) => (
      <>
        {entry.subjectKind === "vm" ? (
          <Link href={`/vms/${entry.subject}`} className="block break-words underline underline-offset-2">
            {entry.subjectName}
          </Link>
        ) : (
          entry.subjectName && <span className="block break-words">{entry.subjectName}</span>
        )}
        <span className="font-mono text-xs break-all text-ink-3">{entry.subject ?? "–"}</span>
      </>
    ),
  },
  {
    title: "Outcome",
    cell: (entry) => {
      const { word, tone, Shape } = OUTCOMES[entry.outcome];
      return (
        <span className={cx("inline-flex items-center gap-1.5", TONE_TEXT[tone])}>
          <Shape size={14} aria-hidden /> {word}
        </span>
      );
    },
  },
  {
    title: "Detail and reason",
    cell: (entry) => (
      <>
        {entry.detail && <span className="text-ink-2">{entry.detail}</span>}
        {entry.reason && <span className="block">“{entry.reason}”</span>}
        {(entry.planId || entry.jobId) && (
          <span className="flex gap-3">
            {entry.planId && (
              <Link href={`/plans/${entry.planId}`} className="py-0.5 underline underline-offset-2">
                Plan
              </Link>
            )}
            {entry.jobId && (
              <Link href={`/jobs/${entry.jobId}`} className="py-0.5 underline underline-offset-2">
                Job
              </Link>
            )}
          </span>
        )}
      </>
    ),
  },
];

/** Who did what, newest first; filters stand in the address. */
export function AuditView() {
  const [filter, setFilter] = useQueryStates(auditParsers, { history: "replace", throttleMs: 300 });
  const first = useRef<HTMLInputElement>(null);
  const audit = useInfiniteQuery(engineQueries(useApi()).audit(filter));
  useCommands([
    { id: "filter", title: "Filter the audit log", group: "List", key: "/", run: () => first.current?.focus() },
  ]);
  const isFiltered = Object.values(filter).some((value) => value !== null && value !== "");
  return (
    <div className="mx-auto max-w-[90rem] px-3 py-4 sm:px-4">
      <PageHead title="Audit" detail="append-only" />
      <search className="mt-3 grid grid-cols-2 gap-2 sm:flex sm:flex-wrap">
        <TextField
          ref={first}
          aria-label="Who"
          placeholder="Who"
          maxLength={300}
          value={filter.actor}
          onChange={(event) => setFilter({ actor: event.target.value })}
        />
        <TextField
          aria-label="What"
          placeholder="What (plans.apply, …)"
          maxLength={100}
          value={filter.action}
          onChange={(event) => setFilter({ action: event.target.value })}
        />
        <TextField
          aria-label="On what"
          placeholder="On what (VM id, host, …)"
          maxLength={300}
          className="sm:w-64"
          value={filter.subject}
          onChange={(event) => setFilter({ subject: event.target.value })}
        />
        <Select
          label="Outcome"
          value={filter.outcome ?? ""}
          onChange={(event) =>
            setFilter({ outcome: AUDIT_OUTCOMES.find((outcome) => outcome === event.target.value) ?? null })
          }
        >
          <option value="">All outcomes</option>
          {AUDIT_OUTCOMES.map((outcome) => (
            <option key={outcome} value={outcome}>
              {OUTCOMES[outcome].word}
            </option>
          ))}
        </Select>
        <div className="col-span-2 flex flex-wrap gap-2">
          <TimeField label="From (UTC)" value={filter.from} onChange={(from) => setFilter({ from })} />
          <TimeField label="Before (UTC)" value={filter.to} onChange={(to) => setFilter({ to })} />
        </div>
        {isFiltered && (
          <Button look="quiet" className="col-span-2" onClick={() => setFilter(null)}>
            <X size={14} aria-hidden /> Clear filters
          </Button>
        )}
      </search>
      <ListRows
        query={audit}
        label="Audit log"
        columns={COLUMNS}
        keyOf={(entry) => entry.id}
        empty={
          <EmptyPanel
            icon={<ScrollText size={28} strokeWidth={1.5} aria-hidden />}
            title={isFiltered ? "No entry matches" : "Nothing has been done yet"}
          >
            {isFiltered
              ? "Who, what and on what must match exactly; times are UTC."
              : "Every change and every refusal is written down here."}
          </EmptyPanel>
        }
      />
    </div>
  );
}

/** A time of the address, which is UTC, in the browser's own picker. */
function TimeField(props: { label: string; value: string; onChange: (value: string) => void }) {
  return (
    <span className="inline-flex items-center gap-1.5 text-xs text-ink-3">
      <span aria-hidden>{props.label}</span>
      <TextField
        type="datetime-local"
        aria-label={props.label}
        value={props.value.replace(/Z$/, "").slice(0, 16)}
        onChange={(event) => props.onChange(event.target.value === "" ? "" : `${event.target.value}Z`)}
      />
    </span>
  );
}
