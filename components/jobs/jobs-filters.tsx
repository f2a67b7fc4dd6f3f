"use client";
import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useId, useRef, useState } from "react";
import { useApi } from "#client/api.ts";
import { useCommands } from "#client/commands.tsx";
import { JOB_STATE_NAMES } from "#client/job-states.ts";
import { engineQueries } from "#client/queries.ts";
import { JOB_STATE_WORDS } from "#client/work-words.ts";
import { Button } from "#components/ui/button.tsx";
import { Select, TextField } from "#components/ui/field.tsx";
import type { JobRow } from "#contract/engine-jobs.ts";

type Filter = { vm: string | null; state: JobRow["state"] | null };
/** Names offered while somebody types. */
const OFFERED = 12;

/** State, and one VM: chosen by its name, kept by its id. */
export function JobsFilters(props: {
  filter: Filter;
  vmName: string | null;
  onChange: (patch: Partial<Filter> | null) => void;
}) {
  const { filter, vmName, onChange } = props;
  const api = useApi();
  const list = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const names = useQuery({
    queryKey: ["vms", "names", text],
    queryFn: ({ signal }) => api.vms.list({ q: text, limit: OFFERED, sort: "name" }, { signal }),
    enabled: text.length > 1 && filter.vm === null,
    staleTime: 30_000,
  });
  const one = useQuery({ ...engineQueries(api).vm(filter.vm ?? ""), enabled: filter.vm !== null && vmName === null });
  useCommands([{ id: "filter", title: "Filter by VM", group: "List", key: "/", run: () => input.current?.focus() }]);
  const choose = (value: string) => {
    setText(value);
    const vm = names.data?.items.find((item) => item.name === value || item.id === value);
    if (!vm) return;
    setText("");
    onChange({ vm: vm.id });
  };
  return (
    <search className="mt-3 flex flex-wrap items-center gap-2">
      <Select
        label="State"
        value={filter.state ?? ""}
        onChange={(event) => onChange({ state: JOB_STATE_NAMES.find((state) => state === event.target.value) ?? null })}
      >
        <option value="">All states</option>
        {JOB_STATE_NAMES.map((state) => (
          <option key={state} value={state}>
            {JOB_STATE_WORDS[state].label}
          </option>
        ))}
      </Select>
      {filter.vm === null ? (
        <>
          <TextField
            ref={input}
            type="search"
            className="w-56"
            aria-label="VM by name or id"
            aria-keyshortcuts="/"
            placeholder="VM by name or id"
            list={list}
            value={text}
            maxLength={200}
            onChange={(event) => choose(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter") choose(names.data?.items[0]?.name ?? text);
            }}
          />
          <datalist id={list}>
            {names.data?.items.map((vm) => (
              <option key={vm.id} value={vm.name} />
            ))}
          </datalist>
        </>
      ) : (
        <Button onClick={() => onChange({ vm: null })} data-hint="Show all VMs again">
          Only {vmName ?? one.data?.name ?? filter.vm} <X size={14} aria-hidden />
        </Button>
      )}
    </search>
  );
}
