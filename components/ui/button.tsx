import { Slot } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";
import { cx } from "./cx.ts";
import { Hint } from "./hint.tsx";

const LOOK = {
  primary: "bg-ink text-bg border-ink hover:opacity-90",
  plain: "bg-raised text-ink border-line hover:bg-hover hover:border-line-strong",
  quiet: "bg-transparent text-ink-2 border-transparent hover:bg-hover hover:text-ink",
} as const;

type Props = ComponentProps<"button"> & {
  look?: keyof typeof LOOK;
  size?: "sm" | "md";
  asChild?: boolean;
  /** Why the action is not available. The button stays visible and focusable and says so. */
  unavailable?: string | null;
};

/** A button that, when it cannot act, stays in the tab order and gives its reason as description and hint. */
export function Button({ look = "plain", size = "md", asChild, unavailable, className, onClick, ...rest }: Props) {
  const Element = asChild ? Slot.Root : "button";
  const button = (
    <Element
      {...(asChild ? {} : { type: rest.type ?? "button" })}
      {...rest}
      aria-disabled={unavailable ? true : undefined}
      aria-description={unavailable ?? undefined}
      onClick={unavailable ? (event: { preventDefault(): void }) => event.preventDefault() : onClick}
      className={cx(
        "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md border text-sm font-medium whitespace-nowrap transition-colors",
        size === "md" ? "h-8 px-3" : "h-7 px-2",
        LOOK[look],
        unavailable && "cursor-not-allowed opacity-60",
        "disabled:cursor-not-allowed disabled:opacity-60",
        className,
      )}
    />
  );
  return unavailable ? <Hint text={unavailable}>{button}</Hint> : button;
}

/** A square button with an icon only; `label` is its name and its hint. */
export function IconButton({ label, children, className, ...rest }: Props & { label: string; children: ReactNode }) {
  return (
    <Hint text={label}>
      <Button look="quiet" size="sm" aria-label={label} className={cx("w-8 px-0", className)} {...rest}>
        {children}
      </Button>
    </Hint>
  );
}
