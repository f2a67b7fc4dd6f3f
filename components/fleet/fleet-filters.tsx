import { Search, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { FINDING_KINDS } from "#chain/model.ts";
import { useCommands } from "#client/commands.tsx";
import { FLEET_SORTS, type FleetState } from "#client/url-state.ts";
import { Button } from "#components/ui/button.tsx";
import { Select, TextField } from "#components/ui/field.tsx";
import type { Host } from "#contract/engine.ts";

const SORT_WORDS: Record<(typeof FLEET_SORTS)[number], string> = {
  severity: "Worst first",
  name: "Name A–Z",
  "-name": "Name Z–A",
  host: "Host",
  observed: "Oldest read first",
  "-observed": "Newest read first",
  checkpoints: "Shortest chain first",
  "-checkpoints": "Longest chain first",
};
const TYPING_PAUSE_MS = 250;

/** Search, host, finding kind and order. `/` goes to the search. */
export function FleetFilters(props: {
  state: FleetState;
  hosts: Host[];
  onChange: (patch: Partial<FleetState> | null) => void;
}) {
  const { state, onChange } = props;
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(state.q);
  const sent = useRef(state.q);
  useEffect(() => {
    if (state.q !== sent.current) setText(state.q);
    sent.current = state.q;
  }, [state.q]);
  useEffect(() => {
    if (text === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = text;
      onChange({ q: text, cursor: null });
    }, TYPING_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, onChange]);
  useCommands([{ id: "filter", title: "Filter the list", group: "List", key: "/", run: () => input.current?.focus() }]);

  const isFiltered = Boolean(
    state.q || state.host || state.kind || state.agreement || state.nextBackup || state.freshness,
  );
  return (
    <search className="flex flex-wrap items-center gap-2">
      <TextField
        ref={input}
        type="search"
        className="w-full sm:w-64"
        icon={<Search size={14} aria-hidden />}
        aria-label="Filter by name or id"
        aria-keyshortcuts="/"
        placeholder="Name or id"
        value={text}
        maxLength={200}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
      />
      <Select
        label="Host"
        value={state.host ?? ""}
        onChange={(event) => onChange({ host: event.target.value || null, cursor: null })}
      >
        <option value="">All hosts</option>
        {state.host && !props.hosts.some(({ id }) => id === state.host) && (
          <option value={state.host}>One host ({state.host.slice(0, 8)}…)</option>
        )}
        {props.hosts.map((host) => (
          <option key={host.id} value={host.id}>
            {host.name}
          </option>
        ))}
      </Select>
      <Select
        label="Finding"
        value={state.kind ?? ""}
        onChange={(event) =>
          onChange({ kind: FINDING_KINDS.find((kind) => kind === event.target.value) ?? null, cursor: null })
        }
      >
        <option value="">All findings</option>
        {FINDING_KINDS.map((kind) => (
          <option key={kind} value={kind}>
            {kind}
          </option>
        ))}
      </Select>
      <Select
        label="Order"
        value={state.sort}
        onChange={(event) =>
          onChange({ sort: FLEET_SORTS.find((sort) => sort === event.target.value) ?? "severity", cursor: null })
        }
      >
        {FLEET_SORTS.map((sort) => (
          <option key={sort} value={sort}>
            {SORT_WORDS[sort]}
          </option>
        ))}
      </Select>
      {isFiltered && (
        <Button look="quiet" onClick={() => onChange(null)}>
          <X size={14} aria-hidden /> Clear filters
        </Button>
      )}
    </search>
  );
}
