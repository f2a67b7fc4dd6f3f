"use client";
import { useCallback } from "react";
import { notify } from "./notify.ts";

type Text = string | (() => Promise<string>);

/** A browser may forget the click while the text is being made, unless it is given the promise of it. */
const write = (text: Text): Promise<void> =>
  typeof text === "string"
    ? navigator.clipboard.writeText(text)
    : navigator.clipboard.write([
        new ClipboardItem({ "text/plain": text().then((made) => new Blob([made], { type: "text/plain" })) }),
      ]);

/** Puts text on the clipboard and says so; where the browser refuses, the text is offered for copying by hand. */
export function useCopy(): (text: Text, what: string) => Promise<void> {
  return useCallback(async (text, what) => {
    try {
      await write(text);
      notify(`Copied ${what}`);
    } catch {
      window.prompt(
        `The browser does not allow copying. Copy ${what} by hand:`,
        typeof text === "string" ? text : await text(),
      );
    }
  }, []);
}
