import type { Metadata } from "next";
import { KeysView } from "#components/settings/keys-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../../engine-access.ts";

export const metadata: Metadata = { title: "API keys" };

export default async function KeysPage() {
  const { state } = await prefetch((queries, cache) => cache.fetchInfiniteQuery(queries.apiKeys()));
  return (
    <Hydrated state={state}>
      <KeysView />
    </Hydrated>
  );
}
