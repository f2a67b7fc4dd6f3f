import type { UseQueryResult } from "@tanstack/react-query";
import { FilterX, ServerOff, Unplug } from "lucide-react";
import Link from "next/link";
import type { FleetState } from "#client/url-state.ts";
import { EmptyPanel } from "#components/patterns/state-panel.tsx";
import { Button, buttonLook } from "#components/ui/button.tsx";
import type { Host } from "#contract/engine.ts";

const ICON = { size: 28, strokeWidth: 1.5, "aria-hidden": true } as const;

/** Why there is no row: nothing matches, no host, no host answers, or the hosts really have no VM. */
export function FleetEmpty(props: {
  state: FleetState;
  hosts: UseQueryResult<{ items: Host[] }>;
  onReset: () => void;
}) {
  const { q, host, kind, agreement, nextBackup, freshness, cursor } = props.state;
  if (q || host || kind || agreement || nextBackup || freshness || cursor) {
    return (
      <EmptyPanel
        icon={<FilterX {...ICON} />}
        title="No VM matches"
        action={<Button onClick={props.onReset}>Clear filters</Button>}
      >
        {q
          ? `Nothing has “${q}” in its name or id, with the other filters applied.`
          : "The filters leave nothing over."}
      </EmptyPanel>
    );
  }
  const hosts = props.hosts.data?.items;
  if (!hosts) {
    return (
      <EmptyPanel icon={<Unplug {...ICON} />} title="Cannot tell whether there are VMs">
        The list of hosts could not be read.
      </EmptyPanel>
    );
  }
  if (hosts.length === 0) {
    return (
      <EmptyPanel icon={<ServerOff {...ICON} />} title="No host is configured" action={<HostsLink />}>
        Start an agent on a libvirt host, then pair it under Hosts.
      </EmptyPanel>
    );
  }
  const heard = hosts.filter((candidate) => candidate.state === "online" || candidate.state === "degraded");
  if (heard.length === 0) {
    return (
      <EmptyPanel icon={<Unplug {...ICON} />} title="No host has answered yet" action={<HostsLink />}>
        {hosts.map((candidate) => candidate.name).join(", ")}: not reached so far. Whether there are VMs is not known.
      </EmptyPanel>
    );
  }
  return (
    <EmptyPanel icon={<ServerOff {...ICON} />} title="The hosts have no VM" action={<HostsLink />}>
      {heard.map((candidate) => candidate.name).join(", ")} answered and libvirt lists no domain there.
    </EmptyPanel>
  );
}

const HostsLink = () => (
  <Link href="/hosts" className={buttonLook()}>
    Hosts
  </Link>
);
