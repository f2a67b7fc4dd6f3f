"use client";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Copy } from "lucide-react";
import { useState } from "react";
import { useApi } from "#client/api.ts";
import { useCopy } from "#client/copy.ts";
import { notify } from "#client/notify.ts";
import { IconButton } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field } from "./field.tsx";
import { HostForm } from "./host-form.tsx";

const COMMAND = "npm run agent -- --config agent.json --pair";

/** Introduces a host: what to do there, and what to bring back. */
export function PairDialog({ onClose }: { onClose: () => void }) {
  const api = useApi();
  const queryClient = useQueryClient();
  const [name, setName] = useState("");
  const [url, setUrl] = useState("https://");
  const [code, setCode] = useState("");
  const pair = useMutation({
    mutationFn: () => api.hosts.pair({ name: name.trim(), url: url.trim(), code: code.trim() }),
    onSuccess: (host) => {
      notify(`${host.name} is paired`);
      void queryClient.invalidateQueries({ queryKey: ["hosts"] });
      onClose();
    },
  });
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Pair a host"
      description="The agent makes its own key and certificate. The code proves that both sides are the ones you mean."
    >
      <HostForm
        act="Pair the host"
        busy="Pairing…"
        isPending={pair.isPending}
        failed="The host was not paired"
        error={pair.error}
        onSubmit={() => pair.mutate()}
        onCancel={onClose}
      >
        <ol className="list-decimal space-y-2 pl-5">
          <li>
            On the host, give <code className="font-mono text-xs">agent.json</code> an address that this server reaches
            and a directory of its own: <code className="font-mono text-xs">"listen": "0.0.0.0:7411"</code>,{" "}
            <code className="font-mono text-xs">"stateDir": "/var/lib/driftline-agent"</code>.
          </li>
          <li>
            As the agent’s user, start it with <CopyLine text={COMMAND} />
            It prints a code that works once, for ten minutes. An agent that runs already takes it too.
          </li>
          <li>Bring the code here.</li>
        </ol>
        <Field label="Name" hint="As it is shown everywhere" value={name} onChange={setName} />
        <Field label="Address" hint="https, host and port" value={url} onChange={setUrl} isCode />
        <Field label="One-time code" hint="Nine groups of five" value={code} onChange={setCode} isCode />
      </HostForm>
    </Dialog>
  );
}

function CopyLine({ text }: { text: string }) {
  const copy = useCopy();
  return (
    <span className="my-1 flex items-center gap-1 rounded-md border border-line px-2 py-1">
      <code className="min-w-0 flex-1 font-mono text-xs break-all">{text}</code>
      <IconButton label="Copy the command" onClick={() => void copy(text, "the command")}>
        <Copy size={14} aria-hidden />
      </IconButton>
    </span>
  );
}
