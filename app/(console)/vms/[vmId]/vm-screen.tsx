"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { RotateCw } from "lucide-react";
import { useQueryStates } from "nuqs";
import { useEffect, useMemo, useState } from "react";
import {
  canBackup,
  canFullBackup,
  canObserve,
  canPlanRemedy,
  canPreparePlan,
  canPrune,
  canValidate,
} from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { useLiveEvent } from "#client/live.tsx";
import { overlayNodes } from "#client/overlay.ts";
import { toProblemView } from "#client/problem.ts";
import { engineQueries, hasAnswer } from "#client/queries.ts";
import { toSituation, whyNot } from "#client/situation.ts";
import { chainParsers } from "#client/url-state.ts";
import { useBackUpNow, usePlanning } from "#client/use-make-plan.ts";
import { NextBackupCard } from "#components/backup/next-backup.tsx";
import { backupsByCheckpoint } from "#components/chain/backups.ts";
import { ChainEmpty } from "#components/chain/chain-empty.tsx";
import { ChainList } from "#components/chain/chain-list.tsx";
import { ChainSkeleton } from "#components/chain/chain-skeleton.tsx";
import { ObservationNotices } from "#components/chain/observation-notice.tsx";
import type { PruneRule } from "#components/chain/prune-dialog.tsx";
import { ViewSwitch } from "#components/chain/view-switch.tsx";
import { VmHeader } from "#components/chain/vm-header.tsx";
import { FindingsPanel, sortFindings } from "#components/findings/findings-panel.tsx";
import { isPast } from "#components/patterns/axis-badge.tsx";
import { SimulatedBanner } from "#components/patterns/simulated-banner.tsx";
import { ErrorPanel, Notice } from "#components/patterns/state-panel.tsx";
import { Button } from "#components/ui/button.tsx";
import { loadLater } from "#components/ui/load-later.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import type { Chain } from "#contract/engine.ts";
import { bitmapMatrix } from "#graph/matrix.ts";
import { graphNodes } from "#graph/nodes.ts";
import { useVmCommands } from "./use-vm-commands.ts";
import { useVmReads } from "./use-vm-reads.ts";

const Loading = () => <Skeleton className="h-[max(24rem,calc(100dvh-17rem))] w-full rounded-lg" />;
const isAsked = (view: string) => new URLSearchParams(window.location.search).get("view") === view;
// Loaded when first looked at. The list is the one that the server draws.
const ChainMap = loadLater(
  () => import("#components/chain/map/chain-map.tsx").then((m) => m.default),
  Loading,
  () => isAsked("map"),
);
const BitmapMatrix = loadLater(
  () => import("#components/bitmaps/bitmap-matrix.tsx").then((m) => m.BitmapMatrix),
  Loading,
  () => isAsked("matrix"),
);
const ExtentsPanel = loadLater(
  () => import("#components/extents/extents-panel.tsx").then((m) => m.ExtentsPanel),
  Loading,
);

const LoadingDetail = () => <Skeleton className="h-64 w-full rounded-lg" />;
const CheckpointDetail = loadLater(
  () => import("#components/chain/checkpoint-detail.tsx").then((m) => m.CheckpointDetail),
  LoadingDetail,
);
const PruneDialog = loadLater(
  () => import("#components/chain/prune-dialog.tsx").then((m) => m.PruneDialog),
  () => null,
);
const ValidationResult = loadLater(
  () => import("./validation-result.tsx").then((m) => m.ValidationResult),
  () => <Skeleton className="h-14 w-full rounded-lg" />,
);

/** Above this many checkpoints the list is the first view: it shows them all, the map only what is not folded. */
const LIST_ABOVE = 150;

/** One VM: loads, and shows why not where it cannot. */
export function VmScreen({ vmId }: { vmId: string }) {
  const queryClient = useQueryClient();
  const chain = useQuery(engineQueries(useApi()).chain(vmId));
  useLiveEvent((event) => {
    if ((event.type === "vm" || event.type === "job") && event.vmId === vmId) {
      void queryClient.invalidateQueries({
        queryKey: ["vm", vmId],
        predicate: (query) => query.queryKey[2] !== "extents" && hasAnswer(query),
      });
    }
  });
  if (chain.isPending) return <ChainSkeleton />;
  if (!chain.data) {
    return (
      <div className="px-4">
        <ErrorPanel what="This VM cannot be shown" error={chain.error} onRetry={() => chain.refetch()} />
      </div>
    );
  }
  return (
    <ChainScreen
      chain={chain.data}
      failure={chain.isError ? toProblemView(chain.error).detail : null}
      onRetry={() => void chain.refetch()}
    />
  );
}

function ChainScreen({ chain, failure, onRetry }: { chain: Chain; failure: string | null; onRetry: () => void }) {
  const queries = engineQueries(useApi());
  const vm = useQuery(queries.vm(chain.vm.id));
  const me = useQuery(queries.me());
  const history = useQuery(queries.backups(chain.vm.id));
  const [url, setUrl] = useQueryStates(chainParsers, { history: "replace" });
  const { observe, validate } = useVmReads(chain.vm.id);

  const nodes = useMemo(() => overlayNodes(chain, url.overlay), [chain, url.overlay]);
  const all = useMemo(() => graphNodes(chain), [chain]);
  const matrix = useMemo(() => bitmapMatrix(chain, all), [chain, all]);
  const columnOf = useMemo(() => new Map(matrix.columns.map(({ id }, index) => [id, index])), [matrix]);
  const findings = useMemo(() => sortFindings(chain.findings), [chain.findings]);
  const backups = useMemo(() => backupsByCheckpoint(history.data?.items ?? []), [history.data]);
  const cellsOf = useMemo(
    () => (id: string) => {
      const column = columnOf.get(id);
      return matrix.rows.flatMap((row) => {
        const cell = column === undefined ? undefined : row.cells[column];
        return cell && cell.state !== "not-covered" ? [{ disk: row.target, state: cell.state, cell }] : [];
      });
    },
    [matrix, columnOf],
  );

  const past = isPast(chain.freshness) || chain.host.status !== "observed";
  const view = url.view ?? (nodes.length > LIST_ABOVE ? "list" : "map");
  const situation = toSituation(chain, vm.data, me.data?.role);
  const noPlan = whyNot(canPreparePlan(situation));
  const noPrune = whyNot(canPrune(situation, chain.record.checkpoints.length));
  const noBackup = whyNot(canBackup(situation));
  const noFullBackup = whyNot(canFullBackup(situation));
  const planning = usePlanning(chain.vm.id, noPlan);
  const backUp = useBackUpNow(chain.vm.id, situation.role);
  const [prune, setPrune] = useState<PruneRule | null>(null);
  const select = (cp: string | null) => void setUrl({ cp });
  const { copyLink, copyFindingText, copyCheckpointText } = useVmCommands({
    chain,
    nodes,
    findings,
    url,
    setUrl,
    view,
    acts: {
      planning,
      noRemedy: (remedy) => whyNot(canPlanRemedy(situation, remedy)),
      noPrune,
      onPrune: () => setPrune("keep"),
      noBackup,
      noFullBackup,
      onBackUp: backUp.mutate,
    },
  });

  useEffect(() => {
    document.title = `${chain.vm.name} · Driftline`;
  }, [chain.vm.name]);

  return (
    <>
      {chain.vm.simulated && <SimulatedBanner />}
      <div className="mx-auto max-w-[100rem] space-y-3 px-3 py-3 sm:px-4">
        <VmHeader
          chain={chain}
          vm={vm.data}
          isObserving={observe.isPending}
          isValidating={validate.isPending}
          noObserve={whyNot(canObserve(situation))}
          noValidate={whyNot(canValidate(situation))}
          onObserve={() => observe.mutate()}
          onValidate={() => validate.mutate()}
          onCopyId={copyLink.id}
        />
        {failure && (
          <Notice
            icon={<RotateCw size={15} aria-hidden />}
            action={
              <Button size="sm" onClick={onRetry}>
                Try again
              </Button>
            }
          >
            What is shown is old: {failure}
          </Notice>
        )}
        <ObservationNotices chain={chain} />
        {validate.data && <ValidationResult result={validate.data} onClose={validate.reset} />}
        <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_25rem]">
          <section aria-label="Chain" className="min-w-0 space-y-2.5">
            <ViewSwitch
              view={view}
              overlay={url.overlay}
              onView={(next) => setUrl({ view: next })}
              onOverlay={(overlay) => setUrl({ overlay })}
              noPrune={noPrune}
              onPrune={() => setPrune("keep")}
            />
            {view === "extents" ? (
              <ExtentsPanel
                vmId={chain.vm.id}
                disks={chain.host.disks}
                disk={url.disk}
                bitmap={url.cp}
                isRunning={chain.vm.power === "running" || chain.vm.power === "paused"}
                onChoose={(disk, cp) => setUrl({ disk, cp })}
              />
            ) : nodes.length === 0 && (view !== "matrix" || matrix.columns.length === 0) ? (
              <ChainEmpty chain={chain} overlay={url.overlay} />
            ) : view === "matrix" ? (
              <BitmapMatrix
                matrix={matrix}
                selected={url.cp}
                disk={url.disk}
                onSelect={(cp, disk) => setUrl({ cp, disk })}
                past={past}
              />
            ) : view === "list" ? (
              <ChainList nodes={nodes} selected={url.cp} onSelect={select} backups={backups} past={past} />
            ) : (
              <ChainMap
                nodes={nodes}
                cellsOf={cellsOf}
                backups={backups}
                selected={url.cp}
                onSelect={select}
                past={past}
              />
            )}
          </section>
          <aside
            aria-label="Findings and next backup"
            className="scroll-thin min-w-0 space-y-3 xl:sticky xl:top-16 xl:max-h-[max(24rem,calc(100dvh-12.5rem))] xl:overflow-y-auto"
          >
            {url.cp && columnOf.has(url.cp) && (
              <CheckpointDetail
                chain={chain}
                id={url.cp}
                node={all.find((node) => node.id === url.cp) ?? null}
                cells={cellsOf(url.cp)}
                backup={backups.get(url.cp) ?? null}
                past={past}
                onCopy={copyCheckpointText}
                onClose={() => select(null)}
                onExtents={(disk) => setUrl({ view: "extents", disk })}
                noPrune={noPrune}
                onPrune={() => setPrune("upTo")}
              />
            )}
            <FindingsPanel
              findings={findings}
              open={url.finding}
              onOpen={(finding) =>
                setUrl(
                  finding
                    ? { finding: finding.id, cp: finding.subject.checkpointId ?? finding.subject.bitmap ?? url.cp }
                    : { finding: null },
                )
              }
              onLocate={(finding) =>
                setUrl({
                  cp: finding.subject.checkpointId ?? finding.subject.bitmap,
                  disk: finding.subject.disk,
                  view: finding.subject.checkpointId ? view : "matrix",
                })
              }
              onCopy={copyFindingText}
              planning={planning}
              cannotTell={
                past
                  ? "These are the last known findings. Whether they still hold, and whether there are others, cannot be told."
                  : chain.agreement === "unknown"
                    ? "Not everything could be read, so there may be more to find."
                    : null
              }
            />
            <NextBackupCard
              verdicts={chain.nextBackup}
              past={past}
              vmId={chain.vm.id}
              noBackup={noBackup}
              noFullBackup={noFullBackup}
              starting={backUp.isPending ? backUp.variables : null}
              failure={backUp.error}
              onBackUp={backUp.mutate}
            />
          </aside>
        </div>
      </div>
      {prune && (
        <PruneDialog
          chain={chain}
          selected={chain.record.checkpoints.some(({ id }) => id === url.cp) ? url.cp : null}
          startWith={prune}
          planning={planning}
          onClose={() => setPrune(null)}
        />
      )}
    </>
  );
}
