"use client";
import { useQuery } from "@tanstack/react-query";
import { ScanLine, ZoomIn, ZoomOut } from "lucide-react";
import { useState } from "react";
import { LIMITS } from "#chain/limits.ts";
import { useApi } from "#client/api.ts";
import { formatBytes, formatCount, formatPercent, plural } from "#client/format.ts";
import { engineQueries } from "#client/queries.ts";
import { Moment } from "#components/patterns/moment.tsx";
import { EmptyPanel, ErrorPanel } from "#components/patterns/state-panel.tsx";
import { Button } from "#components/ui/button.tsx";
import { Select } from "#components/ui/field.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import type { Extents } from "#contract/common.ts";
import type { Chain } from "#contract/engine-vms.ts";
import { baseWords } from "./base-words.ts";
import { ExtentStrip } from "./extent-strip.tsx";
import { bucketsIn, type Span, wholeDisk, zoomSpan } from "./strip-math.ts";

const ROWS = 200;

type Disk = { target: string; bitmaps: { name: string }[] | null };
type Props = {
  vmId: string;
  disks: Disk[];
  disk: string | null;
  bitmap: string | null;
  isRunning: boolean;
  verdicts: Chain["nextBackup"];
  /** What is shown of the chain says nothing about now. */
  past: boolean;
  onChoose: (disk: string, bitmap: string | null) => void;
};

/** Dirty ranges of one bitmap. Reading opens the image on the host, so it happens only when asked for. */
export function ExtentsPanel(props: Props) {
  const { disks } = props;
  const disk =
    disks.find(({ target }) => target === props.disk) ?? disks.find(({ bitmaps }) => bitmaps?.length) ?? disks[0];
  const bitmaps = disk?.bitmaps ?? [];
  const bitmap = bitmaps.find(({ name }) => name === props.bitmap) ?? null;
  const [asked, setAsked] = useState<string | null>(null);
  const key = `${disk?.target}/${bitmap?.name}`;
  const read = useQuery({
    ...engineQueries(useApi()).extents(props.vmId, disk?.target ?? "", bitmap?.name ?? "", LIMITS.extentBuckets),
    enabled: disk !== undefined && bitmap !== null && asked === key,
  });
  if (!disk) return <EmptyPanel title="No disk is known">The host has not listed any disk of this VM yet.</EmptyPanel>;

  return (
    <div data-view="extents" className="rounded-lg border border-line p-4">
      <div className="flex flex-wrap items-center gap-2">
        <Select label="Disk" value={disk.target} onChange={(event) => props.onChoose(event.target.value, props.bitmap)}>
          {disks.map(({ target }) => (
            <option key={target}>{target}</option>
          ))}
        </Select>
        <Select
          label="Bitmap"
          className="font-mono text-xs"
          value={bitmap?.name ?? ""}
          onChange={(event) => props.onChoose(disk.target, event.target.value || null)}
        >
          <option value="">Choose a bitmap</option>
          {bitmaps.toReversed().map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
        <Button
          look={read.data ? "plain" : "primary"}
          disabled={read.isFetching}
          unavailable={
            disk.bitmaps === null
              ? "The bitmaps of this disk could not be read."
              : bitmap
                ? null
                : "Choose a bitmap first."
          }
          onClick={() => (asked === key ? void read.refetch() : setAsked(key))}
        >
          <ScanLine size={14} aria-hidden />
          {read.isFetching ? "Reading…" : read.data ? "Read again" : "Read extents"}
        </Button>
      </div>
      <div className="mt-4" aria-live="off">
        {read.isFetching && !read.data ? (
          <div aria-busy="true">
            <span className="sr-only">Reading dirty extents</span>
            <Skeleton className="h-24 w-full" />
          </div>
        ) : read.isError && !read.data ? (
          <ErrorPanel what="Extents cannot be shown" error={read.error} onRetry={() => read.refetch()} />
        ) : read.data && asked === key ? (
          <ExtentsResult
            key={key + read.data.observedAt}
            extents={read.data}
            base={baseWords(props.verdicts, {
              disk: read.data.disk,
              bitmap: read.data.bitmap,
              dirty: formatBytes(read.data.dirtyBytes),
              past: props.past,
            })}
          />
        ) : (
          <EmptyPanel icon={<ScanLine size={28} strokeWidth={1.5} aria-hidden />} title="Not read yet">
            {props.isRunning
              ? "The VM runs: reading opens a short pull-mode backup job on the host and ends it afterwards. Nothing is copied."
              : "Reading exports the image read-only on the host for a moment. Nothing is copied."}
          </EmptyPanel>
        )}
      </div>
    </div>
  );
}

function ExtentsResult({ extents, base }: { extents: Extents; base: string }) {
  const [span, setSpan] = useState<Span>(() => wholeDisk(extents));
  const shown = bucketsIn(extents, span);
  const isWhole = span.from === 0 && span.to === extents.virtualSize;
  return (
    <div>
      <p>
        <strong className="font-semibold">{formatBytes(extents.dirtyBytes)}</strong> dirty of{" "}
        {formatBytes(extents.virtualSize)} ({formatPercent(extents.dirtyBytes, extents.virtualSize)}),{" "}
        {plural(extents.extentCount, "extent")}, {base}
      </p>
      <p className="mb-3 text-xs text-ink-3">
        Read <Moment at={extents.observedAt} />{" "}
        {extents.source === "backup-live" ? "from the running VM" : "from the image"}, granularity{" "}
        {formatBytes(extents.granularity)}, one bar per {formatBytes(extents.bucketBytes)}
      </p>
      <ExtentStrip extents={extents} span={span} onSpan={setSpan} />
      <div className="mt-2 flex flex-wrap items-center gap-2">
        <Button size="sm" onClick={() => setSpan(zoomSpan(span, 0.5, extents))}>
          <ZoomIn size={14} aria-hidden /> Zoom in
        </Button>
        <Button size="sm" disabled={isWhole} onClick={() => setSpan(zoomSpan(span, 2, extents))}>
          <ZoomOut size={14} aria-hidden /> Zoom out
        </Button>
        <Button size="sm" disabled={isWhole} onClick={() => setSpan(wholeDisk(extents))}>
          Whole disk
        </Button>
      </div>
      <details className="mt-4">
        <summary className="min-h-6 cursor-pointer font-medium">
          As a table ({plural(shown.length, "dirty range")})
        </summary>
        <div
          tabIndex={0}
          role="group"
          aria-label="Dirty ranges as a table"
          className="scroll-thin mt-2 max-h-80 overflow-auto"
        >
          <table className="w-full text-right font-mono text-xs">
            <thead className="sticky top-0 bg-surface text-ink-3">
              <tr>
                {["From", "Length", "Dirty", "Share", "Extents"].map((title) => (
                  <th key={title} scope="col" className="h-7 px-2 font-medium">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.slice(0, ROWS).map((bucket) => (
                <tr key={bucket.offset} className="border-t border-line">
                  <td className="px-2 py-1">{formatBytes(bucket.offset)}</td>
                  <td className="px-2">{formatBytes(bucket.lengthBytes)}</td>
                  <td className="px-2">{formatBytes(bucket.dirtyBytes)}</td>
                  <td className="px-2">{formatPercent(bucket.dirtyBytes, bucket.lengthBytes)}</td>
                  <td className="px-2">{bucket.extents}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {shown.length > ROWS && (
            <p className="p-2 text-xs text-ink-2">
              The first {ROWS} of {formatCount(shown.length)} ranges. Zoom in to see the others.
            </p>
          )}
        </div>
      </details>
    </div>
  );
}
