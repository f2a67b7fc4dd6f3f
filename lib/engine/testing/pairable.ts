/** An agent on TCP with a certificate of its own, over a simulated host, that an engine can be paired with. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { pino } from "pino";
import { startAgent } from "#agent/agent.ts";
import { parseConfig } from "#agent/config.ts";
import { derOf, openIdentity } from "#agent/pairing/identity.ts";
import { openOffer } from "#agent/pairing/offer.ts";
import { SimController } from "#agent/simulated/controller.ts";

export type Pairable = {
  url: string;
  sim: SimController;
  stateDir: string;
  /** A fresh one-time code, as `--pair` prints it. */
  code: () => Promise<string>;
  /** What the agent has logged until now. */
  log: () => string;
  stop: () => Promise<void>;
  /** Listens again at the same address. */
  start: () => Promise<void>;
};

export async function openPairable(dir: string, name: string): Promise<Pairable> {
  const sim = new SimController(path.join(dir, `${name}.json`));
  const stateDir = path.join(dir, `${name}-state`);
  mkdirSync(stateDir, { mode: 0o700 });
  let said = "";
  const keep = (line: string): void => {
    said += line;
  };
  const log = pino({ level: "info" }, { write: keep });
  const begin = (listen: string) => startAgent(parseConfig({ name, listen, libvirtUri: sim.uri, stateDir }), log);
  let agent: Awaited<ReturnType<typeof begin>> | null = await begin("127.0.0.1:0");
  const url = agent.address;
  return {
    url,
    sim,
    stateDir,
    code: async () => openOffer(stateDir, derOf((await openIdentity(stateDir)).cert)),
    log: () => said,
    stop: async () => {
      await agent?.close();
      agent = null;
    },
    start: async () => {
      agent ??= await begin(new URL(url).host);
    },
  };
}
