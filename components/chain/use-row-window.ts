import { type RefObject, useCallback, useEffect, useState } from "react";
import { type Range, visibleRange } from "#graph/window.ts";

/** What the server draws, which knows no viewport. */
const FIRST_VIEWPORT_PX = 640;
const OVERSCAN = 6;

type Options = {
  scroll: RefObject<HTMLElement | null>;
  count: number;
  rowPx: number;
  /** Height of what sticks to the top of the scrolled box. */
  headPx: number;
};

/** Which rows of equal height are in sight, and a way to bring one there. */
export function useRowWindow({ scroll, count, rowPx, headPx }: Options): Range & { showRow: (row: number) => void } {
  const [sight, setSight] = useState({ offset: 0, viewport: FIRST_VIEWPORT_PX });
  useEffect(() => {
    const element = scroll.current;
    if (!element) return;
    const look = () => setSight({ offset: element.scrollTop, viewport: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [scroll]);
  const showRow = useCallback(
    (row: number) => {
      const element = scroll.current;
      if (!element) return;
      const top = row * rowPx;
      const room = element.clientHeight - headPx;
      if (top < element.scrollTop) element.scrollTop = top;
      else if (top + rowPx > element.scrollTop + room) element.scrollTop = top + rowPx - room;
    },
    [scroll, rowPx, headPx],
  );
  return { ...visibleRange({ ...sight, itemSize: rowPx, count, overscan: OVERSCAN }), showRow };
}
