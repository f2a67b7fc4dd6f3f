"use client";
import { useCallback } from "react";
import { toast } from "sonner";
import { useAnnounce } from "./announce.tsx";

/** Puts text on the clipboard and says so; where the browser refuses, the text is offered for copying by hand. */
export function useCopy(): (text: string, what: string) => Promise<void> {
  const announce = useAnnounce();
  return useCallback(
    async (text, what) => {
      try {
        await navigator.clipboard.writeText(text);
        toast(`Copied ${what}`);
        announce(`Copied ${what}`);
      } catch {
        window.prompt(`The browser does not allow copying. Copy ${what} by hand:`, text);
      }
    },
    [announce],
  );
}
