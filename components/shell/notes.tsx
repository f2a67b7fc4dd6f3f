"use client";
import { useEffect } from "react";
import { Toaster, toast } from "sonner";
import { useAnnounce } from "#client/announce.tsx";
import { useCopy } from "#client/copy.ts";
import { showNotes } from "#client/notify.ts";

/** The notes in the corner. The page's one live region says them; the list's own is silent, or all were said twice. */
export function Notes() {
  const announce = useAnnounce();
  const copyText = useCopy();
  useEffect(
    () =>
      showNotes(({ text, detail, isError, copy }) => {
        announce(text);
        const options = { description: detail ?? undefined };
        if (!isError) return void toast(text, options);
        const action = copy === null ? undefined : { label: "Copy", onClick: () => void copyText(copy, "the error") };
        toast.error(text, { ...options, action, closeButton: true, duration: Number.POSITIVE_INFINITY });
      }),
    [announce, copyText],
  );
  return (
    <Toaster
      ref={(list) => list?.setAttribute("aria-live", "off")}
      position="bottom-right"
      toastOptions={{
        className:
          "!bg-raised !text-ink !border-line !text-sm !rounded-md !font-sans !shadow-[0_8px_28px_var(--shadow)]",
        descriptionClassName: "!text-ink-2 break-words",
        classNames: {
          content: "min-w-0",
          actionButton: "!h-7 !rounded-md !bg-ink !px-2.5 !text-bg",
          closeButton: "!bg-raised !text-ink !border-line-strong",
        },
      }}
    />
  );
}
