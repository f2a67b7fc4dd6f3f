import type { ComponentProps, ReactNode } from "react";
import { cx } from "./cx.ts";

/** A check box with its words; the whole line can be pressed. */
export function Check({ children, className, ...rest }: ComponentProps<"input"> & { children: ReactNode }) {
  return (
    <label
      className={cx("flex min-h-7 cursor-pointer items-start gap-2.5 py-1 has-disabled:cursor-not-allowed", className)}
    >
      <input type="checkbox" {...rest} className="mt-0.5 size-4 shrink-0 accent-[var(--ink)]" />
      <span className="min-w-0 flex-1 break-words">{children}</span>
    </label>
  );
}
