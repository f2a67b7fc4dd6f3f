"use client";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useApi } from "#client/api.ts";
import { notify } from "#client/notify.ts";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import type { Host } from "#contract/engine.ts";
import { Field } from "./field.tsx";
import { Trouble } from "./pair-dialog.tsx";

type Open = "edit" | "rotate" | "retire" | null;

/** Why a host cannot be changed here, or null. */
function whyNot(host: Host, isAdmin: boolean): string | null {
  if (!isAdmin) return "Only an administrator changes hosts.";
  if (host.origin === "configuration") return "DRIFTLINE_CONFIG names this host: change it there and start again.";
  return null;
}

/** Name and address, a new token, retire: each asks first and says what it does. */
export function HostActions({ host, isAdmin }: { host: Host; isAdmin: boolean }) {
  const [open, setOpen] = useState<Open>(null);
  const unavailable = whyNot(host, isAdmin);
  const close = () => setOpen(null);
  const window = (which: Open) => ({ open: open === which, onOpenChange: (is: boolean) => setOpen(is ? which : null) });
  return (
    <>
      <Button size="sm" unavailable={unavailable} onClick={() => setOpen("edit")} aria-label={`Edit ${host.name}`}>
        Edit
      </Button>
      <Button
        size="sm"
        unavailable={unavailable}
        onClick={() => setOpen("rotate")}
        aria-label={`New token for ${host.name}`}
      >
        New token
      </Button>
      <Button size="sm" unavailable={unavailable} onClick={() => setOpen("retire")} aria-label={`Retire ${host.name}`}>
        Retire
      </Button>
      <Dialog {...window("edit")} title={`Edit ${host.name}`}>
        <EditForm host={host} onDone={close} />
      </Dialog>
      <Dialog {...window("rotate")} title={`Give ${host.name} a new token`}>
        <Confirm
          host={host}
          which="rotate"
          act="Make a new token"
          done="has a new token"
          onDone={close}
          words="The agent takes both tokens until the new one was tried and stored; then it forgets the old one. Nothing stops meanwhile."
        />
      </Dialog>
      <Dialog {...window("retire")} title={`Retire ${host.name}`}>
        <Confirm
          host={host}
          which="retire"
          act="Retire the host"
          done="is retired"
          onDone={close}
          words="It is not watched any more, and its agent forgets this server. What is known of its VMs, their backups and the audit stays. To bring it back, pair it again under the same name."
        />
      </Dialog>
    </>
  );
}

function useHostChange(host: Host, done: string, change: () => Promise<Host>, onDone: () => void) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => {
      notify(`${host.name} ${done}`);
      void queryClient.invalidateQueries({ queryKey: ["hosts"] });
      onDone();
    },
  });
}

function EditForm({ host, onDone }: { host: Host; onDone: () => void }) {
  const api = useApi();
  const [name, setName] = useState(host.name);
  const [url, setUrl] = useState(host.url);
  const change = () => api.hosts.update({ hostId: host.id, name: name.trim(), url: url.trim() });
  const save = useHostChange(host, "was changed", change, onDone);
  return (
    <form
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <Field label="Name" hint="As it is shown everywhere" value={name} onChange={setName} />
      <Field label="Address" hint="The same agent, reached elsewhere" value={url} onChange={setUrl} isCode />
      {save.isError && <Trouble error={save.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button look="primary" type="submit" disabled={save.isPending}>
          {save.isPending ? "Saving…" : "Save"}
        </Button>
      </div>
    </form>
  );
}

type ConfirmProps = {
  host: Host;
  which: "rotate" | "retire";
  words: string;
  act: string;
  done: string;
  onDone: () => void;
};

function Confirm({ host, which, words, act, done, onDone }: ConfirmProps) {
  const api = useApi();
  const run = useHostChange(host, done, () => api.hosts[which]({ hostId: host.id }), onDone);
  return (
    <div className="space-y-4">
      <p>{words}</p>
      {run.isError && <Trouble error={run.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button look="primary" disabled={run.isPending} onClick={() => run.mutate()}>
          {run.isPending ? "Working…" : act}
        </Button>
      </div>
    </div>
  );
}
