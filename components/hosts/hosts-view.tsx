"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus, RefreshCw, ServerOff } from "lucide-react";
import Link from "next/link";
import { useRef, useState } from "react";
import { type ActorRole, canManageHosts, canObserveHost } from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { formatCount, plural } from "#client/format.ts";
import { useIsOld } from "#client/is-old.ts";
import { useLiveEvent } from "#client/live.tsx";
import { notify, notifyProblem } from "#client/notify.ts";
import { engineQueries, hasAnswer } from "#client/queries.ts";
import { useRowKeys } from "#client/row-keys.ts";
import { whyNot } from "#client/situation.ts";
import { skewText } from "#client/skew.ts";
import { CopyText } from "#components/patterns/copy-text.tsx";
import { HostError } from "#components/patterns/host-error.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { PageHead } from "#components/patterns/page-head.tsx";
import { EmptyPanel, ErrorPanel, OldNotice } from "#components/patterns/state-panel.tsx";
import { Button, buttonLook } from "#components/ui/button.tsx";
import { loadLater } from "#components/ui/load-later.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import type { Host } from "#contract/engine.ts";
import { HostActions } from "./host-actions.tsx";
import { HostState } from "./host-state.tsx";

// Nobody needs it to read the list.
const PairDialog = loadLater(
  () => import("./pair-dialog.tsx").then((m) => m.PairDialog),
  () => null,
);

/** Hosts: last contact, versions, what each can do, what is switched off and why. */
export function HostsView() {
  const queries = engineQueries(useApi());
  const queryClient = useQueryClient();
  const hosts = useQuery(queries.hosts());
  useLiveEvent((event) => {
    if (event.type === "host") void queryClient.invalidateQueries({ queryKey: ["hosts"], predicate: hasAnswer });
  });
  const isOld = useIsOld(hosts);
  const me = useQuery(queries.me());
  const role = me.data?.role ?? "viewer";
  const [isPairing, setPairing] = useState(false);
  const items = hosts.data?.items ?? [];
  const list = useRef<HTMLDivElement>(null);
  useRowKeys(list);
  return (
    <div className="mx-auto max-w-6xl px-3 py-4 sm:px-4">
      <PageHead title="Hosts" detail={hosts.data ? formatCount(hosts.data.total) : null}>
        <Button look="primary" unavailable={whyNot(canManageHosts({ role }))} onClick={() => setPairing(true)}>
          <Plus size={15} aria-hidden /> Pair a host…
        </Button>
      </PageHead>
      {isPairing && <PairDialog onClose={() => setPairing(false)} />}
      <div ref={list} className="mt-3 space-y-3">
        {isOld && hosts.data && <OldNotice error={hosts.error} onRetry={hosts.refetch} />}
        {hosts.isPending ? (
          <div aria-busy="true">
            <span className="sr-only">Loading hosts</span>
            <Skeleton className="h-36 w-full" />
          </div>
        ) : !hosts.data ? (
          <ErrorPanel what="Hosts cannot be shown" error={hosts.error} onRetry={() => hosts.refetch()} />
        ) : items.length === 0 ? (
          <EmptyPanel icon={<ServerOff size={28} strokeWidth={1.5} aria-hidden />} title="No host is watched">
            Start an agent on a libvirt host and pair it here, or name the host in the file that DRIFTLINE_CONFIG points
            to.
          </EmptyPanel>
        ) : (
          items.map((host) => <HostCard key={host.id} host={host} role={role} past={isOld} />)
        )}
      </div>
    </div>
  );
}

function HostCard({ host, role, past }: { host: Host; role: ActorRole; past: boolean }) {
  const api = useApi();
  const queryClient = useQueryClient();
  const observe = useMutation({
    mutationFn: () => api.hosts.observe({ hostId: host.id }),
    onSuccess: (read) => {
      notify(
        `${host.name}: ${plural(read.observed, "VM")} read, ${read.unchanged} unchanged${read.failed ? `, ${read.failed} could not be read` : ""}`,
      );
      void queryClient.invalidateQueries();
    },
    onError: (error) => notifyProblem(`${host.name} could not be read`, error),
  });
  const isQuiet = host.state === "offline" || host.state === "never";
  const facts: [string, string][] = [
    ["libvirt", host.libvirtVersion ?? "cannot tell"],
    ["QEMU", host.qemuVersion ?? "cannot tell"],
    ["agent", host.agentVersion ?? "cannot tell"],
    ["clock", host.clockSkewMs === null ? "cannot tell" : skewText(host.clockSkewMs)],
  ];
  return (
    <article
      id={host.id}
      className="scroll-mt-16 rounded-lg border border-line target:border-line-strong target:ring-2 target:ring-focus"
      data-host={host.name}
      data-row
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line px-4 py-2.5">
        <h2 className="text-base font-semibold">
          <a href={`#${host.id}`} className="hover:underline hover:underline-offset-2">
            {host.name}
          </a>
        </h2>
        <HostState state={host.state} past={past} />
        <span className="text-ink-3">
          {host.lastContactAt ? (
            <>
              last contact <Moment at={host.lastContactAt} />
            </>
          ) : (
            "never reached"
          )}
        </span>
        <div className="ml-auto flex flex-wrap gap-2">
          <CopyText
            size="sm"
            what={`the host ${host.name}`}
            hash={host.id}
            make={(texts, link) => texts.hostAsText(host, link)}
          />
          <a
            href={`/api/v1/hosts/${host.id}/bundle`}
            download={`driftline-host-${host.id}.json`}
            className={buttonLook({ size: "sm" })}
          >
            Support bundle
          </a>
          <Link href={`/vms?host=${host.id}`} className={buttonLook({ size: "sm" })}>
            {plural(host.vms, "VM")}
          </Link>
          <Button
            size="sm"
            unavailable={whyNot(canObserveHost({ role }))}
            disabled={observe.isPending}
            onClick={() => observe.mutate()}
          >
            <RefreshCw size={14} aria-hidden className={observe.isPending ? "animate-turn" : undefined} />
            {observe.isPending ? "Reading…" : "Observe now"}
          </Button>
          <HostActions host={host} role={role} />
        </div>
      </div>
      {host.error && (
        <div className="hatched border-b border-line px-4 py-3">
          <HostError error={host.error} />
        </div>
      )}
      <dl className={`flex flex-wrap gap-x-8 gap-y-2 px-4 py-3 ${isQuiet ? "hatched" : ""}`}>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt className="text-xs text-ink-3">{name}</dt>
            <dd className="font-mono text-xs">{value}</dd>
          </div>
        ))}
        <div className="min-w-0">
          <dt className="text-xs text-ink-3">address</dt>
          <dd className="font-mono text-xs break-all">{host.url}</dd>
        </div>
        <div>
          <dt className="text-xs text-ink-3">known by</dt>
          <dd className="text-xs">
            {host.pairedAt === null ? (
              "DRIFTLINE_CONFIG"
            ) : (
              <>
                {host.rotatedAt === null ? "paired" : "new token"} <Moment at={host.rotatedAt ?? host.pairedAt} />
              </>
            )}
          </dd>
        </div>
      </dl>
      {host.switchedOff.length > 0 && (
        <ul className="border-t border-line px-4 py-2.5">
          {host.switchedOff.map(({ what, why }) => (
            <li key={what}>
              <span className="font-medium">{what} is switched off.</span> <span className="text-ink-2">{why}</span>
            </li>
          ))}
        </ul>
      )}
    </article>
  );
}
