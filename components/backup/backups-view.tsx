"use client";
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Archive } from "lucide-react";
import Link from "next/link";
import { useEffect, useState } from "react";
import { useApi } from "#client/api.ts";
import { formatCount } from "#client/format.ts";
import { useIsOld } from "#client/is-old.ts";
import { useLiveEvent } from "#client/live.tsx";
import { toProblemView } from "#client/problem.ts";
import { engineQueries, hasAnswer } from "#client/queries.ts";
import { PageHead } from "#components/patterns/page-head.tsx";
import { EmptyPanel, ErrorPanel, OldNotice } from "#components/patterns/state-panel.tsx";
import { Breadcrumb } from "#components/ui/breadcrumb.tsx";
import { Button, buttonLook } from "#components/ui/button.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import { BackupCard } from "./backup-card.tsx";
import { withLinked } from "./linked.ts";

/** The history of a VM's backups: kept, newest first, each with its files, digests and last verification. */
export function BackupsView({ vmId }: { vmId: string }) {
  const queries = engineQueries(useApi());
  const queryClient = useQueryClient();
  const vm = useQuery(queries.vm(vmId));
  const me = useQuery(queries.me());
  const history = useInfiniteQuery(queries.backupHistory(vmId));
  const isOld = useIsOld(history);
  const [open, setOpen] = useState<string | null>(null);
  const [linkedId, setLinkedId] = useState<string | null>(null);
  useLiveEvent((event) => {
    if ((event.type === "vm" || event.type === "job") && event.vmId === vmId)
      void queryClient.invalidateQueries({ queryKey: ["vm", vmId, "backup-history"], predicate: hasAnswer });
  });
  // A link to one backup opens it.
  useEffect(() => {
    const id = window.location.hash.slice(1) || null;
    setOpen(id);
    setLinkedId(id);
  }, []);
  const items = history.data?.pages.flatMap((page) => page.items) ?? [];
  // One that is older than what is listed is read on its own, so that its link goes on to show it.
  const isListed = items.some(({ id }) => id === linkedId);
  const linked = useQuery({
    ...queries.backup(vmId, linkedId ?? ""),
    enabled: linkedId !== null && history.data !== undefined && !isListed,
  });
  const shown = withLinked(vmId, items, linked.data);
  const name = vm.data?.name ?? "VM";
  useEffect(() => {
    document.title = `Backups of ${name} · Driftline`;
  }, [name]);
  const isShown = shown.some(({ id }) => id === open);
  // Once: who has scrolled on is not taken back by the next read.
  useEffect(() => {
    if (open && isShown) document.getElementById(open)?.scrollIntoView({ block: "nearest" });
  }, [open, isShown]);
  return (
    <div className="mx-auto max-w-5xl px-3 py-3 sm:px-4">
      <Breadcrumb parts={[{ href: "/vms", text: "VMs" }, { href: `/vms/${vmId}`, text: name }, { text: "Backups" }]} />
      <div className="mt-2">
        <PageHead
          title={`Backups of ${name}`}
          detail={history.data?.pages[0] ? formatCount(history.data.pages[0].total) : null}
        />
      </div>
      {isOld && history.data && (
        <div className="mt-3">
          <OldNotice error={history.error} onRetry={history.refetch} />
        </div>
      )}
      {(linked.isError || linked.data) && !shown.some(({ id }) => id === linkedId) && (
        <p role="status" className="mt-3 text-ink-2">
          {linked.isError && toProblemView(linked.error).code !== "not_found"
            ? `The backup that this link names could not be read: ${toProblemView(linked.error).detail}`
            : "This VM has no backup that this link could name."}
        </p>
      )}
      {history.isPending ? (
        <div aria-busy="true" className="mt-3 space-y-2">
          <span className="sr-only">Loading backups</span>
          <Skeleton className="h-14 rounded-lg" />
          <Skeleton className="h-14 rounded-lg" />
          <Skeleton className="h-14 rounded-lg" />
        </div>
      ) : !history.data ? (
        <ErrorPanel what="Backups cannot be shown" error={history.error} onRetry={() => history.refetch()} />
      ) : items.length === 0 ? (
        <EmptyPanel
          icon={<Archive size={28} strokeWidth={1.5} aria-hidden />}
          title="No backup of this VM is recorded"
          action={
            <Link href={`/vms/${vmId}`} className={buttonLook()}>
              Go to the VM
            </Link>
          }
        >
          Its checkpoints may come from another program. Backups made from here are kept in this list.
        </EmptyPanel>
      ) : (
        <ul className="mt-3 divide-y divide-line rounded-lg border border-line">
          {shown.map((backup) => (
            <BackupCard
              key={backup.id}
              backup={backup}
              vmName={name}
              role={me.data?.role ?? "viewer"}
              isOpen={backup.id === open}
              onToggle={() => setOpen(backup.id === open ? null : backup.id)}
            />
          ))}
        </ul>
      )}
      {history.hasNextPage && (
        <div className="py-3 text-center">
          <Button onClick={() => history.fetchNextPage()} disabled={history.isFetchingNextPage}>
            {history.isFetchingNextPage ? "Loading…" : "Show more"}
          </Button>
        </div>
      )}
    </div>
  );
}
