"use client";
import { useCallback } from "react";
import { useAnnounce } from "./announce.tsx";
import { notify } from "./notify.ts";

/** Puts text on the clipboard and says so; where the browser refuses, the text is offered for copying by hand. */
export function useCopy(): (text: string, what: string) => Promise<void> {
  const announce = useAnnounce();
  return useCallback(
    async (text, what) => {
      try {
        await navigator.clipboard.writeText(text);
        notify(`Copied ${what}`);
        announce(`Copied ${what}`);
      } catch {
        window.prompt(`The browser does not allow copying. Copy ${what} by hand:`, text);
      }
    },
    [announce],
  );
}
