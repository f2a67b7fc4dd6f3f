import { useEffect, useState } from "react";

/**
 * What a page shows is read again well within this time; without an answer it says for this long how things are. The event
 * stream may come back, a slow answer may still come.
 */
const GRACE_MS = 30_000;

/**
 * Does what is shown say nothing about now? Its newest read failed, or no answer has reached this page for a while (no
 * network, a server that is silent, a tab that nobody looked at): how old an observation is, only the server says, and
 * it was last asked then. Counted from when it was shown: the first answer carries the time of the server's clock.
 */
export function useIsOld({ isError, dataUpdatedAt }: { isError: boolean; dataUpdatedAt: number }): boolean {
  const [late, setLate] = useState<number | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setLate(dataUpdatedAt), GRACE_MS);
    return () => clearTimeout(timer);
  }, [dataUpdatedAt]);
  return isError || late === dataUpdatedAt;
}
