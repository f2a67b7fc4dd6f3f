import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { PeopleView } from "#components/settings/people-view.tsx";
import { prefetch } from "../../../engine-access.ts";

export const metadata: Metadata = { title: "People" };

export default async function PeoplePage() {
  const { state } = await prefetch((queries, cache) => cache.fetchInfiniteQuery(queries.users()));
  return (
    <HydrationBoundary state={state}>
      <PeopleView />
    </HydrationBoundary>
  );
}
