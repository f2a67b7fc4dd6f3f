"use client";
import { Grid3x3, ListTree, ScanLine, Scissors, Waypoints } from "lucide-react";
import type { ChainViewName, Overlay } from "#client/url-state.ts";
import { Button } from "#components/ui/button.tsx";
import { Segmented } from "#components/ui/segmented.tsx";

const ICON = { size: 14, "aria-hidden": true } as const;
const VIEWS = [
  {
    value: "map",
    label: (
      <>
        <Waypoints {...ICON} /> Map
      </>
    ),
  },
  {
    value: "list",
    label: (
      <>
        <ListTree {...ICON} /> List
      </>
    ),
  },
  {
    value: "matrix",
    label: (
      <>
        <Grid3x3 {...ICON} /> Bitmaps
      </>
    ),
  },
  {
    value: "extents",
    label: (
      <>
        <ScanLine {...ICON} /> Extents
      </>
    ),
  },
] as const;
const OVERLAY_OPTIONS = [
  { value: "both", label: "Both" },
  { value: "record", label: "Record" },
  { value: "host", label: "Host" },
] as const;

export function ViewSwitch(props: {
  view: ChainViewName;
  overlay: Overlay;
  onView: (view: ChainViewName) => void;
  onOverlay: (overlay: Overlay) => void;
  noPrune: string | null;
  onPrune: () => void;
}) {
  return (
    <div className="flex flex-wrap items-center gap-2">
      <Segmented label="View" value={props.view} options={VIEWS} onChange={props.onView} />
      {(props.view === "map" || props.view === "list") && (
        <Segmented label="Overlay" value={props.overlay} options={OVERLAY_OPTIONS} onChange={props.onOverlay} />
      )}
      <Button look="quiet" className="ml-auto" unavailable={props.noPrune} onClick={props.onPrune}>
        <Scissors size={14} aria-hidden /> Prune…
      </Button>
    </div>
  );
}
