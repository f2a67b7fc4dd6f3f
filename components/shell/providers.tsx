"use client";
import type { AnyContractRouter } from "@orpc/contract";
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { NuqsAdapter } from "nuqs/adapters/next/app";
import { type ReactNode, useState } from "react";
import { AnnounceProvider } from "#client/announce.tsx";
import { ApiProvider, createBrowserApi } from "#client/api.ts";
import { CommandProvider } from "#client/commands.tsx";
import { isLeaving } from "#client/leaving.ts";
import { LiveProvider } from "#client/live.tsx";
import { shouldRetry, toProblemView } from "#client/problem.ts";
// In the layout, so that the pages and their error boundary share one copy of it.
import "#components/patterns/state-panel.tsx";

/** A session that ended while the page was open: go and sign in, and come back here. */
function leaveWhenSignedOut(error: unknown): void {
  if (isLeaving() || toProblemView(error).code !== "unauthenticated") return;
  const here = `${window.location.pathname}${window.location.search}`;
  window.location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
}

const createQueryClient = () =>
  new QueryClient({
    queryCache: new QueryCache({ onError: leaveWhenSignedOut }),
    defaultOptions: {
      queries: { retry: shouldRetry, refetchOnWindowFocus: false, refetchIntervalInBackground: false },
    },
  });

/** Everything that the signed-in screens share. `routes`: the API's methods and paths, from the server. */
export function Providers({ routes, children }: { routes: AnyContractRouter; children: ReactNode }) {
  const [queryClient] = useState(createQueryClient);
  const [api] = useState(() => createBrowserApi(routes));
  return (
    <QueryClientProvider client={queryClient}>
      <NuqsAdapter>
        <ApiProvider value={api}>
          <AnnounceProvider>
            <LiveProvider>
              <CommandProvider>{children}</CommandProvider>
            </LiveProvider>
          </AnnounceProvider>
        </ApiProvider>
      </NuqsAdapter>
    </QueryClientProvider>
  );
}
