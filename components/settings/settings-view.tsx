"use client";
import { useQuery } from "@tanstack/react-query";
import { useApi } from "#client/api.ts";
import { engineQueries } from "#client/queries.ts";
import { PageHead } from "#components/patterns/page-head.tsx";
import { ErrorPanel } from "#components/patterns/state-panel.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import type { SettingView } from "#contract/engine.ts";
import { SettingsTabs } from "./settings-tabs.tsx";

/** Each setting: what it does, its default, what holds, and where that comes from. Changed in the configuration. */
export function SettingsView() {
  const settings = useQuery(engineQueries(useApi()).settings());
  return (
    <div className="mx-auto max-w-6xl px-3 py-4 sm:px-4">
      <PageHead title="Settings" detail="read at start, from the file that DRIFTLINE_CONFIG names" />
      <SettingsTabs />
      {settings.isPending ? (
        <Skeleton className="mt-4 h-64 w-full" />
      ) : !settings.data ? (
        <ErrorPanel what="Settings cannot be shown" error={settings.error} onRetry={() => settings.refetch()} />
      ) : (
        <dl className="mt-4 divide-y divide-line rounded-lg border border-line">
          {settings.data.items.map((item) => (
            <div key={item.key} className="flex flex-wrap gap-x-6 gap-y-1 px-4 py-3">
              <dt className="min-w-0 flex-1 basis-72">
                <span className="font-mono text-xs">{item.key}</span>
                <span className="block text-pretty text-ink-2">{item.text}</span>
              </dt>
              <dd className="basis-64">
                <span className="font-medium">{toText(item, item.value)}</span>
                <span className="block text-xs text-ink-3">
                  {item.source === "default"
                    ? "the default"
                    : `from the ${item.source}; default: ${toText(item, item.default)}`}
                </span>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

function toText({ unit }: SettingView, value: SettingView["value"]): string {
  if (value === null) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return unit ? `${value} ${unit}` : String(value);
}
