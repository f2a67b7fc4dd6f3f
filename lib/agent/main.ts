/**
 * The agent: `node lib/agent/main.ts --config agent.json`. Prints one line on stdout when it answers:
 * `driftline-agent ready: http://127.0.0.1:7411`. Logs are JSON lines on stderr. Ends on SIGTERM and SIGINT.
 * With `--pair` it first prints a one-time code for the console. When an agent of this configuration runs already, that
 * one takes the code, and this one ends.
 */
import { parseArgs } from "node:util";
import { pino } from "pino";
import { readTls, startAgent } from "./agent.ts";
import { type AgentConfig, ConfigError, readConfig } from "./config.ts";
import { derOf } from "./pairing/identity.ts";
import { OFFER_MINUTES, openOffer } from "./pairing/offer.ts";

function readArguments(): { config: AgentConfig; pair: boolean } {
  const { values } = parseArgs({ options: { config: { type: "string" }, pair: { type: "boolean", default: false } } });
  if (values.config === undefined) throw new ConfigError(["usage: npm run agent -- --config agent.json [--pair]"]);
  return { config: readConfig(values.config), pair: values.pair };
}

/** Prints the code. On stdout and not in the log, where it would be kept. */
async function offerPairing(config: AgentConfig): Promise<void> {
  const { stateDir, listen } = config;
  if (stateDir === null) {
    throw new ConfigError(['--pair needs "stateDir" in the configuration: a directory of the agent\'s own account']);
  }
  const tls = listen.kind === "unix" ? null : await readTls(config);
  if (tls === null) throw new ConfigError(["--pair needs an address to listen on, not a socket file"]);
  const code = openOffer(stateDir, derOf(tls.cert));
  process.stdout.write(`driftline-agent pairing code (valid for ${OFFER_MINUTES} minutes, works once): ${code}\n`);
}

const isInUse = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "EADDRINUSE";

async function main(): Promise<void> {
  const { config, pair } = readArguments();
  if (pair) await offerPairing(config);
  const log = pino({ name: "driftline-agent", level: process.env.DRIFTLINE_LOG_LEVEL ?? "info" }, pino.destination(2));
  const agent = await startAgent(config, log).catch((error: unknown) => {
    if (!pair || !isInUse(error)) throw error;
    process.stdout.write("driftline-agent: the agent that runs here takes the code\n");
    return null;
  });
  if (agent === null) return;
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
