"use client";
import { useState } from "react";
import { type ActorRole, canManageHosts } from "#chain/can.ts";
import { whyNot } from "#client/situation.ts";
import { Button } from "#components/ui/button.tsx";
import { loadLater } from "#components/ui/load-later.tsx";
import type { Host } from "#contract/engine.ts";
import type { HostChange } from "./host-dialog.tsx";

const HostDialog = loadLater(
  () => import("./host-dialog.tsx").then((m) => m.HostDialog),
  () => null,
);

const ACTS: readonly { change: HostChange; text: string; name: (host: string) => string }[] = [
  { change: "edit", text: "Edit", name: (host) => `Edit ${host}` },
  { change: "rotate", text: "New token", name: (host) => `New token for ${host}` },
  { change: "retire", text: "Retire", name: (host) => `Retire ${host}` },
];

/** Why a host cannot be changed here, or null. */
function whyNotHere(host: Host, role: ActorRole): string | null {
  const refusal = whyNot(canManageHosts({ role }));
  if (refusal) return refusal;
  if (host.origin === "configuration") return "DRIFTLINE_CONFIG names this host: change it there and start again.";
  return null;
}

/** Name and address, a new token, retire: each asks first and says what it does. */
export function HostActions({ host, role }: { host: Host; role: ActorRole }) {
  const [open, setOpen] = useState<HostChange | null>(null);
  const unavailable = whyNotHere(host, role);
  return (
    <>
      {ACTS.map(({ change, text, name }) => (
        <Button
          key={change}
          size="sm"
          unavailable={unavailable}
          onClick={() => setOpen(change)}
          aria-label={name(host.name)}
        >
          {text}…
        </Button>
      ))}
      {open && <HostDialog host={host} change={open} onClose={() => setOpen(null)} />}
    </>
  );
}
