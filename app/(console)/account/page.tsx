import type { Metadata } from "next";
import { AccountView } from "#components/account/account-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../engine-access.ts";

export const metadata: Metadata = { title: "Account" };

export default async function AccountPage() {
  const { state } = await prefetch((queries, cache) =>
    Promise.all([cache.fetchQuery(queries.account()), cache.fetchQuery(queries.ownSessions())]),
  );
  return (
    <Hydrated state={state}>
      <AccountView />
    </Hydrated>
  );
}
