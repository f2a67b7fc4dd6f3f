"use client";
import { useInfiniteQuery } from "@tanstack/react-query";
import { CircleCheck, CircleSlash, CircleX, ScrollText } from "lucide-react";
import { useQueryStates } from "nuqs";
import { useRef } from "react";
import { useApi } from "#client/api.ts";
import { useCommands } from "#client/commands.tsx";
import { engineQueries } from "#client/queries.ts";
import { auditParsers } from "#client/url-state.ts";
import type { Tone } from "#client/words.ts";
import { TONE_TEXT } from "#components/patterns/axis-badge.tsx";
import { type Column, ListRows } from "#components/patterns/list-rows.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { PageHead } from "#components/patterns/page-head.tsx";
import { EmptyPanel } from "#components/patterns/state-panel.tsx";
import { cx } from "#components/ui/cx.ts";
import { TextField } from "#components/ui/field.tsx";

const OUTCOMES = {
  done: { word: "Done", tone: "ok", Shape: CircleCheck },
  refused: { word: "Refused", tone: "warn", Shape: CircleSlash },
  failed: { word: "Failed", tone: "bad", Shape: CircleX },
} as const satisfies Record<string, { word: string; tone: Tone; Shape: typeof CircleX }>;

type Entry = {
  id: string;
  at: string;
  actor: string;
  role: string | null;
  action: string;
  subject: string | null;
  outcome: keyof typeof OUTCOMES;
  detail: string | null;
  traceId: string | null;
};

const COLUMNS: readonly Column<Entry>[] = [
  { title: "When", cell: (entry) => <Moment at={entry.at} className="whitespace-nowrap text-ink-2" /> },
  {
    title: "Who",
    cell: (entry) => (
      <>
        {entry.actor}
        {entry.role && <span className="text-ink-3"> ({entry.role})</span>}
      </>
    ),
  },
  { title: "What", cell: (entry) => <span className="font-mono text-xs">{entry.action}</span> },
  {
    title: "On",
    cell: (entry) => <span className="font-mono text-xs break-all text-ink-2">{entry.subject ?? "–"}</span>,
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
  { title: "Detail", cell: (entry) => <span className="text-ink-2">{entry.detail}</span> },
];

/** Who did what, newest first; filters stand in the address. */
export function AuditView() {
  const [filter, setFilter] = useQueryStates(auditParsers, { history: "replace", throttleMs: 300 });
  const first = useRef<HTMLInputElement>(null);
  const audit = useInfiniteQuery(engineQueries(useApi()).audit(filter));
  useCommands([
    { id: "filter", title: "Filter the audit log", group: "List", key: "/", run: () => first.current?.focus() },
  ]);
  const isFiltered = filter.actor !== "" || filter.subject !== "";
  return (
    <div className="mx-auto max-w-6xl px-3 py-4 sm:px-4">
      <PageHead title="Audit" detail="append-only" />
      <search className="mt-3 flex flex-wrap gap-2">
        <TextField
          ref={first}
          aria-label="Who"
          placeholder="Who"
          maxLength={300}
          value={filter.actor}
          onChange={(event) => setFilter({ actor: event.target.value })}
        />
        <TextField
          aria-label="On what"
          placeholder="On what (VM id, host, …)"
          maxLength={300}
          className="w-64"
          value={filter.subject}
          onChange={(event) => setFilter({ subject: event.target.value })}
        />
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
            {isFiltered ? "Who and what must match exactly." : "Every change and every refusal is written down here."}
          </EmptyPanel>
        }
      />
    </div>
  );
}
