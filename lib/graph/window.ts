/** What of a long list is in sight. */
/** Half open: `from` is in, `to` is not. */
export type Range = { from: number; to: number };

/** Indices of equally sized items that a viewport shows, `overscan` more on either side. */
export function visibleRange(input: {
  offset: number;
  viewport: number;
  itemSize: number;
  count: number;
  overscan?: number;
}): Range {
  const { offset, viewport, itemSize, count, overscan = 4 } = input;
  if (count <= 0 || itemSize <= 0 || viewport <= 0) return { from: 0, to: 0 };
  const clamp = (value: number) => Math.min(count, Math.max(0, value));
  const from = clamp(Math.floor(offset / itemSize) - overscan);
  return { from, to: Math.max(from, clamp(Math.ceil((offset + viewport) / itemSize) + overscan)) };
}
