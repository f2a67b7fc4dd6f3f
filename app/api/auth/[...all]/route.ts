import { serveAuth } from "#engine/server.ts";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";
export { serveAuth as GET, serveAuth as POST };
