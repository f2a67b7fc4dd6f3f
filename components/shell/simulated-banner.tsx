"use client";
import { useQueryClient } from "@tanstack/react-query";
import { FlaskConical } from "lucide-react";
import { useCallback, useSyncExternalStore } from "react";
import { useApi } from "#client/api.ts";
import { plural } from "#client/format.ts";
import { engineQueries } from "#client/queries.ts";
import { simulatedNames } from "#client/simulated.ts";

const NAMED = 3;

/**
 * On every page, permanently, while any host that this person may see is simulated. `names`: those that the server found
 * for the first page; whenever a screen reads the hosts again, what it read counts. Nothing is asked for here, and no query
 * is made: one that is there before the screen's own would keep the screen from what the server sent along.
 */
export function SimulatedBanner({ names }: { names: readonly string[] }) {
  const client = useQueryClient();
  const { queryKey } = engineQueries(useApi()).hosts();
  const subscribe = useCallback((listener: () => void) => client.getQueryCache().subscribe(listener), [client]);
  const hosts = useSyncExternalStore(
    subscribe,
    () => client.getQueryData(queryKey),
    () => undefined,
  );
  const simulated = hosts ? simulatedNames(hosts) : names;
  if (simulated.length === 0) return null;
  const more = simulated.length - NAMED;
  return (
    <div role="note" className="flex items-start gap-2 border-b border-line bg-info-bg px-4 py-1.5 text-info">
      <FlaskConical size={15} aria-hidden className="mt-0.5 shrink-0" />
      <span className="min-w-0 break-words">
        <strong className="font-semibold">
          {simulated.length === 1 ? "Simulated host" : "Simulated hosts"}: {simulated.slice(0, NAMED).join(", ")}
          {more > 0 && ` and ${plural(more, "more", "more")}`}.
        </strong>{" "}
        What is shown of {simulated.length === 1 ? "it" : "them"} comes from no real libvirt or QEMU.
      </span>
    </div>
  );
}
