import type { Metadata } from "next";
import type { SearchParams } from "nuqs/server";
import { loadAuditState } from "#client/url-state.ts";
import { AuditView } from "#components/audit/audit-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../engine-access.ts";

export const metadata: Metadata = { title: "Audit" };

export default async function AuditPage({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const filter = await loadAuditState(searchParams);
  const { state } = await prefetch((queries, cache) => cache.fetchInfiniteQuery(queries.audit(filter)));
  return (
    <Hydrated state={state}>
      <AuditView />
    </Hydrated>
  );
}
