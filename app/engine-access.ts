import "server-only";
import { dehydrate, QueryClient } from "@tanstack/react-query";
import { headers } from "next/headers";
import { notFound, redirect } from "next/navigation";
import type { EngineApi } from "#client/api.ts";
import { type EngineQueries, engineQueries } from "#client/queries.ts";
import { getEngineClient } from "#engine/server.ts";

/** The code of a problem that the engine threw, or null for anything else. */
function codeOf(error: unknown): string | null {
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "string"
    ? error.code.toLowerCase()
    : null;
}

/** The engine in this process, acting for the person who asks. null: not to be had here, the browser asks by itself. */
async function getEngine(): Promise<EngineApi | null> {
  try {
    return await getEngineClient(await headers());
  } catch (error) {
    // Still starting, or the database is away: the browser asks again and says so.
    if (codeOf(error) === "unavailable") return null;
    throw error;
  }
}

/**
 * Reads for the first paint. Nobody signed in goes to the sign-in page, a thing that does not exist to "not found";
 * every other failure is left to the browser, which asks again and shows it with its code and trace id. `state` is for
 * `Hydrated`.
 */
export async function prefetch(read: (queries: EngineQueries, client: QueryClient) => Promise<unknown>) {
  const client = new QueryClient();
  try {
    const engine = await getEngine();
    if (engine) await read(engineQueries(engine), client);
  } catch (error) {
    const code = codeOf(error);
    if (code === "unauthenticated") redirect(`/sign-in?next=${encodeURIComponent(await currentPath())}`);
    if (code === "not_found") notFound();
  }
  return { client, state: JSON.stringify(dehydrate(client)) };
}

/** Path and query of this request, as the proxy saw it. */
async function currentPath(): Promise<string> {
  return (await headers()).get("x-driftline-path") ?? "/vms";
}
