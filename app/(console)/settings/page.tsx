import type { Metadata } from "next";
import { SettingsView } from "#components/settings/settings-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../engine-access.ts";

export const metadata: Metadata = { title: "Settings" };

export default async function SettingsPage() {
  const { state } = await prefetch((queries, cache) => cache.fetchQuery(queries.settings()));
  return (
    <Hydrated state={state}>
      <SettingsView />
    </Hydrated>
  );
}
