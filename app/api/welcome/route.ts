import { serveWelcome } from "#engine/server.ts";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";
export { serveWelcome as POST };
