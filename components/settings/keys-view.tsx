"use client";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { useApi } from "#client/api.ts";
import { notify, notifyProblem } from "#client/notify.ts";
import { engineQueries } from "#client/queries.ts";
import { type Column, ListRows } from "#components/patterns/list-rows.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { PageHead } from "#components/patterns/page-head.tsx";
import { EmptyPanel } from "#components/patterns/state-panel.tsx";
import { Button } from "#components/ui/button.tsx";
import type { ApiKeyView } from "#contract/engine.ts";
import { AdminsOnly } from "./admins-only.tsx";
import { KeyDialog } from "./key-dialog.tsx";
import { SettingsTabs } from "./settings-tabs.tsx";
import { type Secret, ShownOnce } from "./shown-once.tsx";

const STATES: Record<ApiKeyView["state"], string> = { active: "Active", expired: "Expired", revoked: "Revoked" };

/** Why a key cannot be revoked here; null: it can. */
function whyKept(key: ApiKeyView): string | null {
  if (key.source === "configuration") return "It stands in the configuration; take it out there.";
  return key.state === "revoked" ? "It works no more already." : null;
}

/** Programs' keys: role, hosts, expiry, last use. */
export function KeysView() {
  const api = useApi();
  const cache = useQueryClient();
  const keys = useInfiniteQuery(engineQueries(api).apiKeys());
  const [isMaking, setMaking] = useState(false);
  const [secret, setSecret] = useState<Secret | null>(null);
  /** Asked once more: a program that uses the key is shut out at once. */
  const [sure, setSure] = useState<string | null>(null);
  const revoke = useMutation({
    mutationFn: (keyId: string) => api.apiKeys.revoke({ keyId }),
    onSuccess: (key) => notify(`The key ${key.name} works no more`),
    onError: (error) => notifyProblem("The key was not revoked", error),
    onSettled: () => cache.invalidateQueries({ queryKey: ["api-keys"] }),
  });
  const columns: readonly Column<ApiKeyView>[] = [
    {
      title: "Key",
      cell: (key) => (
        <>
          <span className="font-medium break-all">{key.name}</span>
          <span className="block text-xs text-ink-3">
            {key.source === "configuration" ? "from the configuration" : `made by ${key.createdBy ?? "somebody"}`}
          </span>
        </>
      ),
    },
    { title: "Role", cell: (key) => key.role },
    {
      title: "Hosts",
      cell: (key) => (key.hosts ? key.hosts.map((host) => host.name).join(", ") || "none" : "all hosts"),
    },
    {
      title: "State",
      cell: (key) => (
        <>
          {STATES[key.state]}
          {key.expiresAt && (
            <span className="block text-xs text-ink-3">
              {key.state === "expired" ? "since" : "until"} <Moment at={key.expiresAt} />
            </span>
          )}
        </>
      ),
    },
    {
      title: "Last use",
      cell: (key) =>
        key.lastUsedAt ? (
          <>
            <span className="text-ink-3 md:hidden">last used </span>
            <Moment at={key.lastUsedAt} />
          </>
        ) : (
          <span className="text-ink-3">never used</span>
        ),
    },
    {
      title: "Revoke",
      cell: (key) => (
        <Button
          size="sm"
          look={sure === key.id ? "primary" : "plain"}
          unavailable={whyKept(key)}
          disabled={revoke.isPending}
          onClick={() => (sure === key.id ? revoke.mutate(key.id) : setSure(key.id))}
          onBlur={() => setSure(null)}
          aria-label={sure === key.id ? `Revoke ${key.name} for good` : `Revoke ${key.name}…`}
        >
          {sure === key.id ? "Revoke for good" : "Revoke…"}
        </Button>
      ),
    },
  ];
  return (
    <div className="mx-auto max-w-6xl px-3 py-4 sm:px-4">
      <PageHead title="Settings" />
      <SettingsTabs />
      <AdminsOnly what="API keys">
        <div className="mt-3 flex justify-end">
          <Button onClick={() => setMaking(true)}>
            <Plus size={14} aria-hidden /> Make a key
          </Button>
        </div>
        <ListRows
          query={keys}
          label="API keys"
          columns={columns}
          keyOf={(key) => key.id}
          empty={
            <EmptyPanel icon={<KeyRound size={28} strokeWidth={1.5} aria-hidden />} title="There is no key">
              Programs send one as “Authorization: Bearer …”.
            </EmptyPanel>
          }
        />
      </AdminsOnly>
      {isMaking && (
        <KeyDialog
          onClose={() => setMaking(false)}
          onMade={(name, text) => {
            setMaking(false);
            const hint = "Put it where the program reads it. Only its SHA-256 is kept; it is shown only now.";
            setSecret({ title: `Key ${name}`, text, what: "the key", hint });
          }}
        />
      )}
      {secret && <ShownOnce secret={secret} onClose={() => setSecret(null)} />}
    </div>
  );
}
