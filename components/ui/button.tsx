import type { ComponentProps, MouseEvent, ReactNode } from "react";
import { cx } from "./cx.ts";

const LOOK = {
  primary: "bg-ink text-bg border-ink hover:opacity-90",
  plain: "bg-raised text-ink border-line hover:bg-hover hover:border-line-strong",
  quiet: "bg-transparent text-ink-2 border-transparent hover:bg-hover hover:text-ink",
} as const;

type Look = { look?: keyof typeof LOOK; size?: "sm" | "md" };

/** The classes of a button, for a link that looks like one. */
export function buttonLook({ look = "plain", size = "md" }: Look = {}): string {
  return cx(
    "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md border text-sm font-medium whitespace-nowrap transition-colors",
    size === "md" ? "h-8 px-3" : "h-7 px-2",
    LOOK[look],
  );
}

type Props = ComponentProps<"button"> &
  Look & {
    /** Why the action is not available. The button stays visible and focusable and says so. */
    unavailable?: string | null;
  };

/** A button that, when it cannot act, stays in the tab order and gives its reason as description and hint. */
export function Button({ look, size, unavailable, className, onClick, ...rest }: Props) {
  return (
    <button
      type="button"
      {...rest}
      {...(unavailable ? { "aria-disabled": true, "aria-description": unavailable, "data-hint": unavailable } : {})}
      onClick={unavailable ? (event: MouseEvent) => event.preventDefault() : onClick}
      className={cx(
        buttonLook({ look, size }),
        unavailable && "cursor-not-allowed border-dashed text-ink-2!",
        unavailable && look === "primary" && "bg-raised! border-line-strong!",
        "disabled:cursor-not-allowed disabled:opacity-60",
        className,
      )}
    />
  );
}

/** A square button with an icon only; `label` is its name and its hint. */
export function IconButton({ label, children, className, ...rest }: Props & { label: string; children: ReactNode }) {
  return (
    <Button look="quiet" size="sm" aria-label={label} data-hint={label} className={cx("w-8 px-0", className)} {...rest}>
      {children}
    </Button>
  );
}
