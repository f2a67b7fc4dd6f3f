"use client";
import { useEffect } from "react";
import { Toaster, toast } from "sonner";
import { showNotes } from "#client/notify.ts";

/** The notes in the corner. What they say is also said by the live region, so they are not announced twice. */
export function Notes() {
  useEffect(
    () =>
      showNotes(({ text, detail, isError }) => {
        const options = { description: detail ?? undefined };
        if (isError) toast.error(text, { ...options, duration: 10_000 });
        else toast(text, options);
      }),
    [],
  );
  return (
    <Toaster
      position="bottom-right"
      toastOptions={{
        className:
          "!bg-raised !text-ink !border-line !text-sm !rounded-md !font-sans !shadow-[0_8px_28px_var(--shadow)]",
        descriptionClassName: "!text-ink-2",
      }}
    />
  );
}
