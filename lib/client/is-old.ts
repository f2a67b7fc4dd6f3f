import { useEffect, useState } from "react";
import { useLive } from "./live.tsx";

/** While nothing reaches this page, what it shows says for this long how things are; the event stream may come back. */
const GRACE_MS = 30_000;

/**
 * Does what is shown say nothing about now? Its newest read failed, or nothing has reached this page for a while: how old
 * an observation is, only the server says, and it was last asked then.
 */
export function useIsOld(query: { isError: boolean; dataUpdatedAt: number }): boolean {
  const { state } = useLive();
  const isCut = state === "offline" || state === "reconnecting";
  const { isError, dataUpdatedAt } = query;
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (!isCut) return;
    const timer = setTimeout(() => setLate(true), Math.max(0, dataUpdatedAt + GRACE_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [isCut, dataUpdatedAt]);
  return isError || isLate;
}
