"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useApi } from "#client/api.ts";
import { toProblemView } from "#client/problem.ts";
import { engineQueries } from "#client/queries.ts";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Select, TextField } from "#components/ui/field.tsx";
import type { Role } from "#contract/engine.ts";
import { ROLE_WORDS, RoleOptions } from "./roles.tsx";

const LIFETIMES = [
  { days: 30, label: "30 days" },
  { days: 90, label: "90 days" },
  { days: 365, label: "one year" },
  { days: 0, label: "without end" },
] as const;
const DAY_MS = 86_400_000;

/** Name, role, hosts and lifetime of a new key. */
export function KeyDialog(props: { onClose: () => void; onMade: (name: string, secret: string) => void }) {
  const api = useApi();
  const cache = useQueryClient();
  const hosts = useQuery(engineQueries(api).hosts());
  const [role, setRole] = useState<Role>("viewer");
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const make = useMutation({
    mutationFn: ({ name, days }: { name: string; days: number }) =>
      api.apiKeys.create({
        name,
        role,
        ...(chosen.length > 0 ? { hosts: [...chosen] } : {}),
        ...(days > 0 ? { expiresAt: new Date(Date.now() + days * DAY_MS).toISOString() } : {}),
      }),
    onSuccess: ({ key, secret }) => {
      void cache.invalidateQueries({ queryKey: ["api-keys"] });
      props.onMade(key.name, secret);
    },
  });
  // Without boxes nobody could limit the key, and one without limits is the strongest.
  const noHosts = hosts.data
    ? null
    : hosts.isError
      ? "The hosts could not be read, so the key cannot be limited to some of them."
      : "The hosts are being read.";
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (noHosts) return;
    const data = new FormData(event.currentTarget);
    make.mutate({ name: String(data.get("name")), days: Number(data.get("days")) });
  };
  const toggle = (id: string) =>
    setChosen((old) => (old.includes(id) ? old.filter((one) => one !== id) : [...old, id]));
  return (
    <Dialog open onOpenChange={(open) => !open && props.onClose()} title="Make a key">
      <form method="post" className="space-y-4" onSubmit={submit}>
        {make.isError && (
          <p role="alert" className="rounded-md border border-line bg-bad-bg p-2.5 text-bad">
            {toProblemView(make.error).detail}
          </p>
        )}
        <label className="block font-medium" htmlFor="key-name">
          Name
          <TextField id="key-name" name="name" required maxLength={200} className="mt-1 w-full" />
        </label>
        <div className="flex flex-wrap gap-4">
          <div>
            <p className="font-medium">Role</p>
            <Select
              label="Role"
              value={role}
              onChange={(event) => setRole(event.target.value as Role)}
              className="mt-1"
            >
              <RoleOptions />
            </Select>
          </div>
          <div>
            <p className="font-medium">Works for</p>
            <Select label="Works for" name="days" defaultValue="90" className="mt-1">
              {LIFETIMES.map(({ days, label }) => (
                <option key={days} value={days}>
                  {label}
                </option>
              ))}
            </Select>
          </div>
        </div>
        <p className="-mt-2 text-xs text-ink-3">{ROLE_WORDS[role]}</p>
        <fieldset>
          <legend className="font-medium">Hosts</legend>
          {hosts.data ? (
            <p className="text-xs text-ink-3">
              {chosen.length === 0 ? "None ticked: all hosts." : "It sees nothing of any other host."}
            </p>
          ) : (
            <p className="text-ink-2">
              {noHosts}{" "}
              {hosts.isError && (
                <Button size="sm" onClick={() => void hosts.refetch()}>
                  Try again
                </Button>
              )}
            </p>
          )}
          <div className="mt-1 flex flex-wrap gap-x-4">
            {(hosts.data?.items ?? []).map((host) => (
              <label key={host.id} className="flex min-h-8 items-center gap-2">
                <input type="checkbox" checked={chosen.includes(host.id)} onChange={() => toggle(host.id)} />
                {host.name}
              </label>
            ))}
          </div>
        </fieldset>
        <div className="flex justify-end gap-2">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={make.isPending} unavailable={noHosts}>
            {make.isPending ? "Making…" : "Make the key"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
