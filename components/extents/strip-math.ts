import type { Extents } from "#contract/common.ts";

/** A part of the disk's address space, in bytes; `to` is not in it. */
export type Span = { from: number; to: number };
export type Bar = { x: number; width: number; share: number };

export const wholeDisk = (extents: Extents): Span => ({ from: 0, to: extents.virtualSize });

/** Dirty buckets that touch a span; a clean one is neither drawn nor listed. */
export function bucketsIn(extents: Extents, span: Span): Extents["buckets"] {
  return extents.buckets.filter(
    (bucket) => bucket.dirtyBytes > 0 && bucket.offset < span.to && bucket.offset + bucket.lengthBytes > span.from,
  );
}

/** Buckets as bars of a drawing `width` wide: their place, and which share of each is dirty (0 to 1). */
export function barsOf(extents: Extents, span: Span, width: number): Bar[] {
  const scale = width / (span.to - span.from);
  return bucketsIn(extents, span).map((bucket) => ({
    x: (bucket.offset - span.from) * scale,
    width: Math.max(1, bucket.lengthBytes * scale),
    share: bucket.lengthBytes === 0 ? 0 : Math.min(1, bucket.dirtyBytes / bucket.lengthBytes),
  }));
}

/** A span of another size around the same middle (factor < 1 zooms in), inside the disk, never below one bucket. */
export function zoomSpan(span: Span, factor: number, extents: Extents): Span {
  const size = Math.min(extents.virtualSize, Math.max(extents.bucketBytes, (span.to - span.from) * factor));
  return moveTo((span.from + span.to) / 2 - size / 2, size, extents);
}

/** A span moved by a share of its own size. */
export function panSpan(span: Span, share: number, extents: Extents): Span {
  const size = span.to - span.from;
  return moveTo(span.from + size * share, size, extents);
}

/** What a brush chose, at least one bucket wide. */
export function brushSpan(a: number, b: number, extents: Extents): Span {
  const size = Math.max(extents.bucketBytes, Math.abs(a - b));
  return moveTo(Math.min(a, b), Math.min(size, extents.virtualSize), extents);
}

function moveTo(from: number, size: number, extents: Extents): Span {
  const start = Math.round(Math.min(Math.max(0, from), extents.virtualSize - size));
  return { from: start, to: Math.round(start + size) };
}
