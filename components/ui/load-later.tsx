"use client";
import { type ComponentType, useLayoutEffect, useState } from "react";

/**
 * A component whose code comes when it is first shown; until then `Fallback`, with the same properties, which is also
 * what the server draws.
 * Not `React.lazy` (or `next/dynamic`, which is made of it): React holds back what suspended until 300 ms after its
 * fallback, however fast the code came, and that was a third of the time until a map or a matrix could be seen.
 * `isWanted`: asked once in the browser; true fetches the code at once instead of after the page has come to life.
 */
export function loadLater<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  Fallback: ComponentType<Props>,
  isWanted: () => boolean = () => false,
) {
  let known: ComponentType<Props> | null = null;
  if (typeof window !== "undefined" && isWanted()) {
    // A failure here is met again, and shown, where the component is drawn.
    load().then(
      (loaded) => {
        known = loaded;
      },
      () => {},
    );
  }
  return function LoadedLater(props: Props) {
    // Empty at first even when the code is there: the first render here must agree with the server's.
    const [{ View, error }, set] = useState<{ View?: ComponentType<Props>; error?: unknown }>({});
    useLayoutEffect(() => {
      let isGone = false;
      if (known) set({ View: known });
      else
        load().then(
          (loaded) => {
            known = loaded;
            if (!isGone) set({ View: loaded });
          },
          (reason: unknown) => {
            if (!isGone) set({ error: reason });
          },
        );
      return () => {
        isGone = true;
      };
    }, []);
    // To the nearest error boundary, as a failed lazy component does.
    if (error !== undefined) throw error;
    return View ? <View {...props} /> : <Fallback {...props} />;
  };
}
