import { health } from "#engine/server.ts";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";
export { health as GET };
