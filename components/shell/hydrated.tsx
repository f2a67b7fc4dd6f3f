"use client";
import { type DehydratedState, HydrationBoundary } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";

/**
 * What the server read, put into the cache of the browser. `state`: the JSON of a dehydrated client. As text, and not as
 * the object: React takes objects from the server apart value by value, here and there, which for a chain of two
 * thousand checkpoints costs several times what `JSON.parse` does.
 */
export function Hydrated({ state, children }: { state: string; children: ReactNode }) {
  const parsed = useMemo(() => JSON.parse(state) as DehydratedState, [state]);
  return <HydrationBoundary state={parsed}>{children}</HydrationBoundary>;
}
