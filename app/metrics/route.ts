import { metricsText } from "#engine/server.ts";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";
export { metricsText as GET };
