import { type KeyboardEvent, type PointerEvent, useState } from "react";
import { formatBytes } from "#client/format.ts";
import type { Extents } from "#contract/common.ts";
import { barsOf, brushSpan, panSpan, type Span, wholeDisk, zoomSpan } from "./strip-math.ts";

const WIDTH = 2048;
const HEIGHT = 96;
/** Steps of lightness; height tells the same share exactly, so that neither is needed alone. */
const LEVELS = 5;
const LEAST_BRUSH_PX = 6;

/** One disk's address space from left to right: where it is dirty, how densely. Drag to zoom; + − ← → 0 by keys. */
export function ExtentStrip(props: { extents: Extents; span: Span; onSpan: (span: Span) => void }) {
  const { extents, span, onSpan } = props;
  const [brush, setBrush] = useState<{ from: number; to: number } | null>(null);
  const bars = barsOf(extents, span, WIDTH);
  const paths = Array.from({ length: LEVELS }, (_, level) =>
    bars
      .filter((bar) => Math.min(LEVELS - 1, Math.floor(bar.share * LEVELS)) === level)
      .map((bar) => {
        const top = HEIGHT - Math.max(3, bar.share * HEIGHT);
        return `M${bar.x.toFixed(1)} ${HEIGHT}V${top.toFixed(1)}h${bar.width.toFixed(1)}V${HEIGHT}z`;
      })
      .join(""),
  );

  const shareOf = (event: PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const endBrush = (event: PointerEvent<SVGSVGElement>) => {
    if (brush && Math.abs(brush.to - brush.from) * event.currentTarget.clientWidth >= LEAST_BRUSH_PX) {
      const size = span.to - span.from;
      onSpan(brushSpan(span.from + brush.from * size, span.from + brush.to * size, extents));
    }
    setBrush(null);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = spanForKey(event.key, span, extents);
    if (!next) return;
    event.preventDefault();
    onSpan(next);
  };

  return (
    <div>
      <div
        role="group"
        aria-label={`Dirty ranges of ${extents.disk} from ${formatBytes(span.from)} to ${formatBytes(span.to)}. Plus and minus zoom, arrows move, zero shows the whole disk.`}
        tabIndex={0}
        onKeyDown={onKeyDown}
        className="rounded-md border border-line bg-surface"
      >
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          aria-hidden="true"
          className="block h-24 w-full cursor-crosshair touch-none"
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            const share = shareOf(event);
            setBrush({ from: share, to: share });
          }}
          onPointerMove={(event) => brush && setBrush({ ...brush, to: shareOf(event) })}
          onPointerUp={endBrush}
          onPointerCancel={() => setBrush(null)}
        >
          {paths.map((path, level) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the level is the identity
            <path key={level} d={path} fill="var(--ink)" opacity={0.35 + (level / (LEVELS - 1)) * 0.6} />
          ))}
          {brush && (
            <rect
              x={Math.min(brush.from, brush.to) * WIDTH}
              width={Math.abs(brush.to - brush.from) * WIDTH}
              height={HEIGHT}
              fill="var(--focus)"
              opacity="0.25"
            />
          )}
        </svg>
      </div>
      <div className="mt-1 flex justify-between font-mono text-xs text-ink-3">
        <span>{formatBytes(span.from)}</span>
        <span>{formatBytes((span.from + span.to) / 2)}</span>
        <span>{formatBytes(span.to)}</span>
      </div>
    </div>
  );
}

function spanForKey(key: string, span: Span, extents: Extents): Span | null {
  switch (key) {
    case "+":
    case "=":
      return zoomSpan(span, 0.5, extents);
    case "-":
      return zoomSpan(span, 2, extents);
    case "ArrowLeft":
      return panSpan(span, -0.25, extents);
    case "ArrowRight":
      return panSpan(span, 0.25, extents);
    case "Home":
      return { from: 0, to: span.to - span.from };
    case "0":
      return wholeDisk(extents);
    default:
      return null;
  }
}
