"use client";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Copy } from "lucide-react";
import { useId, useState } from "react";
import { useApi } from "#client/api.ts";
import { useCopy } from "#client/copy.ts";
import { notify } from "#client/notify.ts";
import { toProblemView } from "#client/problem.ts";
import { Button, IconButton } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import type { Host } from "#contract/engine.ts";
import { Field } from "./field.tsx";

const COMMAND = "npm run agent -- --config agent.json --pair";

/** Introduces a host: what to do there, and what to bring back. */
export function PairDialog({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const description =
    "The agent makes its own key and certificate. The code proves that both sides are the ones you mean.";
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Pair a host" description={description}>
      <PairForm onDone={() => onOpenChange(false)} />
    </Dialog>
  );
}

function PairForm({ onDone }: { onDone: () => void }) {
  const api = useApi();
  const queryClient = useQueryClient();
  const [name, setName] = useState("");
  const [url, setUrl] = useState("https://");
  const [code, setCode] = useState("");
  const pair = useMutation({
    mutationFn: () => api.hosts.pair({ name: name.trim(), url: url.trim(), code: code.trim() }),
    onSuccess: (host: Host) => {
      notify(`${host.name} is paired`);
      void queryClient.invalidateQueries({ queryKey: ["hosts"] });
      onDone();
    },
  });
  return (
    <form
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        pair.mutate();
      }}
    >
      <ol className="list-decimal space-y-2 pl-5">
        <li>
          On the host, give <code className="font-mono text-xs">agent.json</code> an address that this server reaches
          and a directory of its own: <code className="font-mono text-xs">"listen": "0.0.0.0:7411"</code>,{" "}
          <code className="font-mono text-xs">"stateDir": "/var/lib/driftline-agent"</code>.
        </li>
        <li>
          As the agent's user, start it with <CopyLine text={COMMAND} />
          It prints a code that works once, for ten minutes. An agent that runs already takes it too.
        </li>
        <li>Bring the code here.</li>
      </ol>
      <Field label="Name" hint="As it is shown everywhere" value={name} onChange={setName} />
      <Field label="Address" hint="https, host and port" value={url} onChange={setUrl} isCode />
      <Field label="One-time code" hint="Nine groups of five" value={code} onChange={setCode} isCode />
      {pair.isError && <Trouble error={pair.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button look="primary" type="submit" disabled={pair.isPending}>
          {pair.isPending ? "Pairing…" : "Pair the host"}
        </Button>
      </div>
    </form>
  );
}

/** What the server said, in its own words, heard by who does not see it. */
export function Trouble({ error }: { error: unknown }) {
  const { title, detail, hostMessage } = toProblemView(error);
  const id = useId();
  return (
    <div role="alert" aria-labelledby={id} className="rounded-md border border-line-strong px-3 py-2">
      <p id={id} className="font-medium">
        {title}
      </p>
      <p>{detail}</p>
      {hostMessage && <p className="font-mono text-xs break-words">{hostMessage}</p>}
    </div>
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
