import { countByAgreement, listHosts, ping } from "#db/index.ts";
import { engineSlot } from "./state.ts";

const PING_MS = 2_000;

async function databaseState(): Promise<string> {
  const { engine, failure } = engineSlot();
  if (!engine) return failure ? `not started: ${failure.message.split("\n")[0]}` : "starting";
  const late = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error("no answer in time")), PING_MS).unref(),
  );
  try {
    await Promise.race([ping(engine.db), late]);
    return "ok";
  } catch {
    return "no answer";
  }
}

/** The process runs. Says nothing about anything else. */
export const health = (): Response => Response.json({ status: "ok", checks: { process: "ok" } });

/** Ready to serve: started, and the database answers. Hosts do not count: a fleet without one host is still served. */
export async function readiness(): Promise<Response> {
  const database = await databaseState();
  const ok = database === "ok";
  const body = { status: ok ? "ok" : "degraded", checks: { database } };
  return Response.json(body, { status: ok ? 200 : 503, headers: { "cache-control": "no-store" } });
}

/** Prometheus text. Fleet figures are read when asked for. */
export async function metricsText(): Promise<Response> {
  const { engine } = engineSlot();
  if (!engine) return new Response("# the engine has not started\n", { status: 503 });
  try {
    const { vms, hosts } = engine.metrics;
    const counts = await countByAgreement(engine.db.orm);
    vms.reset();
    for (const { agreement, n } of counts) vms.set({ agreement }, n);
    const { items } = await listHosts(engine.db.orm, { after: null, limit: 10_000 });
    hosts.reset();
    for (const { state } of items) hosts.inc({ state });
  } catch {
    // The database is away: our own figures still count, and /readyz says why the others are old.
  }
  const { registry } = engine.metrics;
  return new Response(await registry.metrics(), {
    headers: { "content-type": registry.contentType, "cache-control": "no-store" },
  });
}
