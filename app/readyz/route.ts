import { readiness } from "#engine/server.ts";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";
export { readiness as GET };
