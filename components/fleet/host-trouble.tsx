import { Unplug } from "lucide-react";
import Link from "next/link";
import { plural } from "#client/format.ts";
import { Notice } from "#components/patterns/state-panel.tsx";
import type { Host } from "#contract/engine.ts";

/** Which hosts did not answer: the list below is complete, but their rows are the last known state. */
export function HostTrouble({ hosts }: { hosts: Host[] }) {
  const silent = hosts.filter((host) => host.state === "offline" || host.state === "never");
  if (silent.length === 0) return null;
  return (
    <Notice
      icon={<Unplug size={15} aria-hidden />}
      action={
        <Link href="/hosts" className="inline-flex min-h-6 items-center font-medium underline underline-offset-2">
          Hosts
        </Link>
      }
    >
      {plural(silent.length, "host does", "hosts do")} not answer:{" "}
      <strong className="font-semibold">{silent.map((host) => host.name).join(", ")}</strong>. Their VMs show the last
      known state.
    </Notice>
  );
}
