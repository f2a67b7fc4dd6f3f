import type { Metadata } from "next";
import { PeopleView } from "#components/settings/people-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../../engine-access.ts";

export const metadata: Metadata = { title: "People" };

export default async function PeoplePage() {
  const { state } = await prefetch((queries, cache) => cache.fetchInfiniteQuery(queries.users()));
  return (
    <Hydrated state={state}>
      <PeopleView />
    </Hydrated>
  );
}
