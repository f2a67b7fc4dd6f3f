/**
 * The agent: `node lib/agent/main.ts --config agent.json`. Prints one line on stdout when it answers:
 * `driftline-agent ready: http://127.0.0.1:7411`. Logs are JSON lines on stderr. Ends on SIGTERM and SIGINT.
 */
import { parseArgs } from "node:util";
import { pino } from "pino";
import { startAgent } from "./agent.ts";
import { type AgentConfig, ConfigError, readConfig } from "./config.ts";

function readArguments(): AgentConfig {
  const { values } = parseArgs({ options: { config: { type: "string" } } });
  if (values.config === undefined) throw new ConfigError(["usage: npm run agent -- --config agent.json"]);
  return readConfig(values.config);
}

async function main(): Promise<void> {
  const config = readArguments();
  const log = pino({ name: "driftline-agent", level: process.env.DRIFTLINE_LOG_LEVEL ?? "info" }, pino.destination(2));
  const agent = await startAgent(config, log);
  let closing = false;
  const stop = (signal: string): void => {
    if (closing) return;
    closing = true;
    log.info({ signal }, "closing");
    agent.close().then(
      () => process.exit(0),
      (err) => {
        log.error({ err }, "could not close");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  process.stdout.write(`driftline-agent ready: ${agent.address}\n`);
}

main().catch((thrown) => {
  const faults =
    thrown instanceof ConfigError ? thrown.faults : [thrown instanceof Error ? thrown.message : `${thrown}`];
  for (const fault of faults) process.stderr.write(`driftline-agent: ${fault}\n`);
  process.exit(1);
});
