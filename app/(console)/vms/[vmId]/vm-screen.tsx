"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useQueryStates } from "nuqs";
import { type ReactNode, useEffect, useMemo, useState } from "react";
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
import { useIsOld } from "#client/is-old.ts";
import { useLiveEvent } from "#client/live.tsx";
import { engineQueries, hasAnswer } from "#client/queries.ts";
import { toSituation, whyNot } from "#client/situation.ts";
import { chainParsers } from "#client/url-state.ts";
import { useBackUpNow, usePlanning } from "#client/use-make-plan.ts";
import { isValidationOld } from "#client/validation.ts";
import { ChainSkeleton } from "#components/chain/chain-skeleton.tsx";
import { ObservationNotices } from "#components/chain/observation-notice.tsx";
import type { PruneRule } from "#components/chain/prune-dialog.tsx";
import { ViewSwitch } from "#components/chain/view-switch.tsx";
import { VmHeader } from "#components/chain/vm-header.tsx";
import { ErrorPanel, OldNotice } from "#components/patterns/state-panel.tsx";
import { loadLater } from "#components/ui/load-later.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import type { Chain } from "#contract/engine-vms.ts";
import { ChainAside } from "./chain-aside.tsx";
import { ChainStage } from "./chain-stage.tsx";
import { useChainModel } from "./use-chain-model.ts";
import { useVmCommands } from "./use-vm-commands.ts";
import { useVmReads } from "./use-vm-reads.ts";

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
  const isOld = useIsOld(chain);
  // Green is for what is so now: without an answer the last one is the past, however fresh it was.
  const shown = useMemo(
    () => (chain.data && isOld ? { ...chain.data, freshness: "stale" as const } : chain.data),
    [chain.data, isOld],
  );
  if (chain.isPending) return <ChainSkeleton />;
  if (!shown) {
    return (
      <div className="px-4">
        <ErrorPanel what="This VM cannot be shown" error={chain.error} onRetry={() => chain.refetch()} />
      </div>
    );
  }
  return (
    <ChainScreen
      chain={shown}
      notices={
        <>
          {isOld && <OldNotice error={chain.error} onRetry={chain.refetch} />}
          <ObservationNotices chain={chain.data ?? shown} />
        </>
      }
    />
  );
}

function ChainScreen({ chain, notices }: { chain: Chain; notices: ReactNode }) {
  const queries = engineQueries(useApi());
  const vm = useQuery(queries.vm(chain.vm.id));
  const isVmUnread = useIsOld(vm);
  const me = useQuery(queries.me());
  const [url, setUrl] = useQueryStates(chainParsers, { history: "replace" });
  const { observe, validate } = useVmReads(chain.vm.id);
  const model = useChainModel(chain, url.overlay);
  const { nodes, findings } = model;

  const view = url.view ?? (nodes.length > LIST_ABOVE ? "list" : "map");
  const situation = toSituation(chain, vm.data, me.data?.role);
  const noPrune = whyNot(canPrune(situation, chain.record.checkpoints.length));
  const noBackup = whyNot(canBackup(situation));
  const noFullBackup = whyNot(canFullBackup(situation));
  const planning = usePlanning(chain.vm.id, whyNot(canPreparePlan(situation)));
  const backUp = useBackUpNow(chain.vm.id, situation.role);
  const [prune, setPrune] = useState<PruneRule | null>(null);
  const { copyLink, copyFindingText, copyCheckpointText } = useVmCommands({
    chain,
    nodes,
    findings,
    isKnown: model.isKnown,
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
      <div className="mx-auto max-w-[100rem] space-y-3 px-3 py-3 sm:px-4">
        <VmHeader
          chain={chain}
          vm={isVmUnread ? undefined : vm.data}
          isVmUnread={isVmUnread}
          isObserving={observe.isPending}
          isValidating={validate.isPending}
          noObserve={whyNot(canObserve(situation))}
          noValidate={whyNot(canValidate(situation))}
          onObserve={() => observe.mutate()}
          onValidate={() => validate.mutate()}
          onCopyId={copyLink.id}
        />
        {notices}
        {validate.data && (
          <ValidationResult
            result={validate.data}
            isOld={isValidationOld(validate.data, chain, model.past)}
            onClose={validate.reset}
          />
        )}
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
            <ChainStage chain={chain} model={model} view={view} url={url} setUrl={setUrl} />
          </section>
          <ChainAside
            chain={chain}
            model={model}
            view={view}
            url={url}
            setUrl={setUrl}
            planning={planning}
            noPrune={noPrune}
            onPrune={() => setPrune("upTo")}
            lastBackup={isVmUnread ? "unread" : vm.data?.lastBackup}
            noBackup={noBackup}
            noFullBackup={noFullBackup}
            backUp={{
              starting: backUp.isPending ? backUp.variables : null,
              failure: backUp.error,
              start: backUp.mutate,
            }}
            onCopyFinding={copyFindingText}
            onCopyCheckpoint={copyCheckpointText}
          />
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
