"use client";
import { createContext, type ReactNode, useCallback, useContext, useRef, useState } from "react";

const AnnounceContext = createContext<(text: string) => void>(() => {});

/** Says a sentence to screen readers through the page's one polite live region. */
export function useAnnounce(): (text: string) => void {
  return useContext(AnnounceContext);
}

/** Holds the live region. Two equal sentences in a row are made different so that both are spoken. */
export function AnnounceProvider({ children }: { children: ReactNode }) {
  const [text, setText] = useState("");
  const last = useRef("");
  const announce = useCallback((next: string) => {
    last.current = last.current === next ? `${next}\u00a0` : next;
    setText(last.current);
  }, []);
  return (
    <AnnounceContext value={announce}>
      {children}
      <div role="status" aria-live="polite" aria-atomic="true" className="sr-only" data-testid="live-region">
        {text}
      </div>
    </AnnounceContext>
  );
}
