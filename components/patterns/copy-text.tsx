"use client";
import { Copy } from "lucide-react";
import { useCommands } from "#client/commands.tsx";
import { useCopy } from "#client/copy.ts";
import { Button } from "#components/ui/button.tsx";

type Texts = typeof import("#client/work-text.ts");
type Props = {
  /** As in "Copied the plan". */
  what: string;
  make: (texts: Texts, link: string) => string;
  /** What the link in the text leads to, where that is not this address. */
  hash?: string;
  size?: "sm" | "md";
};

function useCopyText({ what, make, hash }: Props): () => void {
  const copy = useCopy();
  return () => {
    const link = hash === undefined ? window.location.href : new URL(`#${hash}`, window.location.href).href;
    // Nobody needs these words to read the page.
    void copy(async () => make(await import("#client/work-text.ts"), link), what);
  };
}

/** One of several things on a page as plain text. */
export function CopyText(props: Props) {
  const run = useCopyText(props);
  return (
    <Button size={props.size} aria-label={`Copy as text: ${props.what}`} onClick={run}>
      <Copy size={14} aria-hidden /> Copy as text
    </Button>
  );
}

/** The one thing that a page is about as plain text, also by its key. */
export function CopyPageText(props: Props) {
  const run = useCopyText(props);
  useCommands([{ id: "copy-text", title: `Copy ${props.what} as text`, group: "Share", key: "c", run }]);
  return <CopyText {...props} />;
}
