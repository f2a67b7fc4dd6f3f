"use client";
import type { BackupMode } from "#chain/plan/model.ts";
import type { ChainViewName } from "#client/url-state.ts";
import type { Planning } from "#client/use-make-plan.ts";
import { NextBackupCard } from "#components/backup/next-backup.tsx";
import { whyCannotTell } from "#components/findings/cannot-tell.ts";
import { FindingsPanel } from "#components/findings/findings-panel.tsx";
import { loadLater } from "#components/ui/load-later.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import type { Chain, ChainFinding, Vm } from "#contract/engine-vms.ts";
import type { ChainUrl } from "./chain-stage.tsx";
import type { ChainModel } from "./use-chain-model.ts";

const CheckpointDetail = loadLater(
  () => import("#components/chain/checkpoint-detail.tsx").then((m) => m.CheckpointDetail),
  () => <Skeleton className="h-64 w-full rounded-lg" />,
);

/** Beside the chain: the selected checkpoint, the findings, the next backup. */
export function ChainAside(props: {
  chain: Chain;
  model: ChainModel;
  view: ChainViewName;
  url: ChainUrl[0];
  setUrl: ChainUrl[1];
  planning: Planning;
  noPrune: string | null;
  onPrune: () => void;
  lastBackup: Vm["lastBackup"] | "unread" | undefined;
  noBackup: string | null;
  noFullBackup: string | null;
  /** The backup that is being started, and why the last one was not. */
  backUp: { starting: BackupMode | null; failure: unknown; start: (mode: BackupMode) => void };
  onCopyFinding: (finding: ChainFinding) => void;
  onCopyCheckpoint: () => void;
}) {
  const { chain, model, view, url, setUrl, backUp } = props;
  const { past } = model;
  return (
    <aside
      aria-label="Findings and next backup"
      className="scroll-thin min-w-0 space-y-3 xl:sticky xl:top-16 xl:max-h-[max(24rem,calc(100dvh-12.5rem))] xl:overflow-y-auto"
    >
      {url.cp && model.isKnown(url.cp) && (
        <CheckpointDetail
          chain={chain}
          id={url.cp}
          node={model.all.find((node) => node.id === url.cp) ?? null}
          cells={model.cellsOf(url.cp)}
          backup={model.backups.get(url.cp) ?? null}
          past={past}
          onCopy={props.onCopyCheckpoint}
          onClose={() => setUrl({ cp: null })}
          onExtents={(disk) => setUrl({ view: "extents", disk })}
          noPrune={props.noPrune}
          onPrune={props.onPrune}
        />
      )}
      <FindingsPanel
        findings={model.findings}
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
        onCopy={props.onCopyFinding}
        imageOf={(disk) => chain.host.disks.find(({ target }) => target === disk)?.source ?? null}
        planning={props.planning}
        cannotTell={whyCannotTell(chain, past)}
      />
      <NextBackupCard
        verdicts={chain.nextBackup}
        past={past}
        vmId={chain.vm.id}
        lastBackup={props.lastBackup}
        noBackup={props.noBackup}
        noFullBackup={props.noFullBackup}
        starting={backUp.starting}
        failure={backUp.failure}
        onBackUp={backUp.start}
      />
    </aside>
  );
}
