import { Unplug } from "lucide-react";
import Link from "next/link";
import { plural } from "#client/format.ts";
import { Notice } from "#components/patterns/state-panel.tsx";
import { Button } from "#components/ui/button.tsx";
import type { Host } from "#contract/engine.ts";

/** Which hosts did not answer, or answer without libvirt: the list is complete, but their rows are the last known state. */
export function HostTrouble(props: { hosts: Host[]; isUnread: boolean; onRetry: () => unknown }) {
  const { hosts, isUnread } = props;
  if (isUnread) {
    return (
      <Notice
        icon={<Unplug size={15} aria-hidden />}
        action={
          <Button size="sm" onClick={() => void props.onRetry()}>
            Try again
          </Button>
        }
      >
        The list of hosts could not be read: whether all of them answer cannot be told.
      </Notice>
    );
  }
  const silent = hosts.filter((host) => host.state === "offline" || host.state === "never");
  const degraded = hosts.filter((host) => host.state === "degraded");
  if (silent.length + degraded.length === 0) return null;
  return (
    <Notice
      icon={<Unplug size={15} aria-hidden />}
      action={
        <Link href="/hosts" className="inline-flex min-h-6 items-center font-medium underline underline-offset-2">
          Hosts
        </Link>
      }
    >
      {silent.length > 0 && (
        <>
          {plural(silent.length, "host does", "hosts do")} not answer: <Names of={silent} />.{" "}
        </>
      )}
      {degraded.length > 0 && (
        <>
          {plural(degraded.length, "host answers", "hosts answer")}, but without libvirt: <Names of={degraded} />.{" "}
        </>
      )}
      Their VMs show the last known state.
    </Notice>
  );
}

function Names({ of }: { of: Host[] }) {
  return <strong className="font-semibold">{of.map((host) => host.name).join(", ")}</strong>;
}
