/** An engine as a process of its own, without pages: what a web process is to jobs. DATABASE_URL and ENGINE_CONFIG (JSON). */
import { parseConfig } from "../config.ts";
import { startEngine } from "../start.ts";

const { DATABASE_URL: databaseUrl = "", ENGINE_CONFIG: config = "{}" } = process.env;
const engine = await startEngine({ databaseUrl, config: parseConfig(JSON.parse(config)) });
process.on("SIGTERM", () => void engine.stop().then(() => process.exit(0)));
process.stdout.write("engine ready\n");
