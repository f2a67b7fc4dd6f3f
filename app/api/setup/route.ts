import { serveSetup } from "#engine/server.ts";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";
export { serveSetup as POST };
