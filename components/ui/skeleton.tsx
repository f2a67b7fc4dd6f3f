import { cx } from "./cx.ts";

/** A block in the place of something that is being read. Hidden from screen readers; the region says "loading". */
export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cx("animate-pulse-soft rounded-sm bg-line forced:border", className)} />;
}
