/** From the environment to a running engine; called by Next's instrumentation in the node runtime only. */
import { loadConfig } from "./config.ts";
import { log } from "./log.ts";
import { loadSecretKey } from "./secrets.ts";
import { startEngineOnce } from "./start.ts";
import { engineSlot } from "./state.ts";

/** Ends the process on a wrong configuration: a server without the hosts that somebody meant is worse than none. */
export async function boot(): Promise<void> {
  const {
    DATABASE_URL: databaseUrl,
    DRIFTLINE_CONFIG: file,
    HOST: host = "127.0.0.1",
    PORT: port = "3000",
  } = process.env;
  if (!databaseUrl) {
    engineSlot().failure = new Error("DATABASE_URL is not set; `npm start` sets it, also for the embedded database.");
    log.error(engineSlot().failure?.message);
    return;
  }
  let config: Awaited<ReturnType<typeof loadConfig>>;
  let secretKey: Buffer | null;
  try {
    config = await loadConfig(file);
    secretKey = loadSecretKey(process.env);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(78);
  }
  void startEngineOnce(async () => ({ databaseUrl, config, secretKey, site: `http://${host}:${port}` }));
}
