import { defineConfig } from "drizzle-kit";

/** `npx drizzle-kit generate --config lib/db/drizzle.config.ts --name what-changed`; migrations are committed and never edited. */
export default defineConfig({ dialect: "postgresql", schema: "./lib/db/schema/*.ts", out: "./lib/db/migrations" });
