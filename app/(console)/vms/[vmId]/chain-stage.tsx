"use client";
import type { useQueryStates } from "nuqs";
import type { ChainViewName, chainParsers } from "#client/url-state.ts";
import { ChainList } from "#components/chain/chain-list.tsx";
import { loadLater } from "#components/ui/load-later.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import type { Chain } from "#contract/engine-vms.ts";
import type { ChainModel } from "./use-chain-model.ts";

const Loading = () => <Skeleton className="h-96 w-full xl:h-[max(24rem,calc(100dvh-17rem))] rounded-lg" />;
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
// Most chains have a checkpoint to draw.
const ChainEmpty = loadLater(() => import("#components/chain/chain-empty.tsx").then((m) => m.ChainEmpty), Loading);
const ExtentsPanel = loadLater(
  () => import("#components/extents/extents-panel.tsx").then((m) => m.ExtentsPanel),
  Loading,
);

export type ChainUrl = ReturnType<typeof useQueryStates<typeof chainParsers>>;

/** The chain in the view that was chosen. Every view shares the selection in the address. */
export function ChainStage(props: {
  chain: Chain;
  model: ChainModel;
  view: ChainViewName;
  url: ChainUrl[0];
  setUrl: ChainUrl[1];
}) {
  const { chain, model, view, url, setUrl } = props;
  const { nodes, matrix, backups, cellsOf, past } = model;
  const select = (cp: string | null) => void setUrl({ cp });
  if (view === "extents") {
    return (
      <ExtentsPanel
        vmId={chain.vm.id}
        disks={chain.host.disks}
        disk={url.disk}
        bitmap={url.cp}
        isRunning={chain.vm.power === "running" || chain.vm.power === "paused"}
        verdicts={chain.nextBackup}
        past={past}
        onChoose={(disk, cp) => setUrl({ disk, cp })}
      />
    );
  }
  if (nodes.length === 0 && (view !== "matrix" || matrix.columns.length === 0))
    return <ChainEmpty chain={chain} overlay={url.overlay} />;
  if (view === "matrix") {
    return (
      <BitmapMatrix
        matrix={matrix}
        selected={url.cp}
        disk={url.disk}
        onSelect={(cp, disk) => setUrl({ cp, disk })}
        past={past}
      />
    );
  }
  if (view === "list")
    return <ChainList nodes={nodes} selected={url.cp} onSelect={select} backups={backups} past={past} />;
  return <ChainMap nodes={nodes} cellsOf={cellsOf} backups={backups} selected={url.cp} onSelect={select} past={past} />;
}
