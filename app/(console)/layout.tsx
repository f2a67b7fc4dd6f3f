import { minifyContractRouter } from "@orpc/contract";
import type { ReactNode } from "react";
import { simulatedNames } from "#client/simulated.ts";
import { Header } from "#components/shell/header.tsx";
import { Providers } from "#components/shell/providers.tsx";
import { SimulatedBanner } from "#components/shell/simulated-banner.tsx";
import { engineContract } from "#contract/engine.ts";
import { prefetch } from "../engine-access.ts";

// Only methods and paths travel to the browser; the schemas that check them stay here.
const routes = JSON.parse(JSON.stringify(minifyContractRouter(engineContract)));

export default async function ConsoleLayout({ children }: { children: ReactNode }) {
  let simulated: string[] = [];
  const { client } = await prefetch(async (queries, cache) => {
    const [hosts] = await Promise.all([cache.fetchQuery(queries.hosts()), cache.fetchQuery(queries.me())]);
    simulated = simulatedNames(hosts);
  });
  const me = client.getQueryData<{ name: string; role: "viewer" | "support" | "operator" | "admin" }>(["me"]) ?? null;
  return (
    <Providers routes={routes}>
      <a
        href="#main"
        className="sr-only z-50 rounded-md bg-ink px-3 py-2 text-bg focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to content
      </a>
      <Header me={me} />
      <main id="main" tabIndex={-1} className="outline-none">
        <SimulatedBanner names={simulated} />
        {children}
      </main>
    </Providers>
  );
}
