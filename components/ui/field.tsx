import type { ComponentProps, ReactNode } from "react";
import { cx } from "./cx.ts";

const BOX =
  "h-8 rounded-md border border-line-strong bg-raised text-sm text-ink placeholder:text-ink-3 disabled:opacity-60";

/** A native select: every platform gives it keyboard, search by typing and touch for nothing. */
export function Select(props: ComponentProps<"select"> & { label: string }) {
  const { label, className, ...rest } = props;
  return <select aria-label={label} {...rest} className={cx(BOX, "max-w-full min-w-0 px-2", className)} />;
}

export function TextField({ className, icon, ...rest }: ComponentProps<"input"> & { icon?: ReactNode }) {
  return (
    <span className={cx("relative inline-flex min-w-0", className)}>
      {icon && (
        <span className="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-ink-3">{icon}</span>
      )}
      <input {...rest} className={cx(BOX, "w-full min-w-0", icon ? "pr-2 pl-8" : "px-2.5")} />
    </span>
  );
}
