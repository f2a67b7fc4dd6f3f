"use client";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useApi } from "#client/api.ts";
import { notify } from "#client/notify.ts";
import { Dialog } from "#components/ui/dialog.tsx";
import type { Host } from "#contract/engine.ts";
import { Field } from "./field.tsx";
import { HostForm } from "./host-form.tsx";

export type HostChange = "edit" | "rotate" | "retire";

const WORDS = {
  edit: { title: "Edit", act: "Save", busy: "Saving…", done: "was changed", failed: "It was not changed" },
  rotate: {
    title: "New token for",
    act: "Make a new token",
    busy: "Working…",
    done: "has a new token",
    failed: "There is no new token",
  },
  retire: {
    title: "Retire",
    act: "Retire the host",
    busy: "Working…",
    done: "is retired",
    failed: "It was not retired",
  },
} as const;
const MEANS: Record<Exclude<HostChange, "edit">, string> = {
  rotate:
    "The agent takes both tokens until the new one was tried and stored; then it forgets the old one. Nothing stops meanwhile.",
  retire:
    "It is not watched any more, and its agent forgets this server. What is known of its VMs, their backups and the audit stays. To bring it back, pair it again under the same name.",
};

/** One change of a host: asks first, and says what it does. */
export function HostDialog({ host, change, onClose }: { host: Host; change: HostChange; onClose: () => void }) {
  const api = useApi();
  const queryClient = useQueryClient();
  const [name, setName] = useState(host.name);
  const [url, setUrl] = useState(host.url);
  const words = WORDS[change];
  const hostId = host.id;
  const run = useMutation({
    mutationFn: () =>
      change === "edit"
        ? api.hosts.update({ hostId, name: name.trim(), url: url.trim() })
        : api.hosts[change]({ hostId }),
    onSuccess: () => {
      notify(`${host.name} ${words.done}`);
      void queryClient.invalidateQueries({ queryKey: ["hosts"] });
      onClose();
    },
  });
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={`${words.title} ${host.name}`}>
      <HostForm {...words} isPending={run.isPending} error={run.error} onSubmit={() => run.mutate()} onCancel={onClose}>
        {change === "edit" ? (
          <>
            <Field label="Name" hint="As it is shown everywhere" value={name} onChange={setName} />
            <Field label="Address" hint="The same agent, reached elsewhere" value={url} onChange={setUrl} isCode />
          </>
        ) : (
          <p>{MEANS[change]}</p>
        )}
      </HostForm>
    </Dialog>
  );
}
