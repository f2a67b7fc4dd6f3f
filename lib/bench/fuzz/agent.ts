/** Random requests to an agent over HTTP, with its token and with another, over a simulated host. */
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { pino } from "pino";
import { startAgent } from "#agent/agent.ts";
import { parseConfig } from "#agent/config.ts";
import { makeOpenApi } from "#agent/http/openapi.ts";
import { SimController } from "#agent/simulated/controller.ts";
import { until } from "#agent/testing/until.ts";
import type { Ledger } from "./ledger.ts";
import { endpointsOf, requestTo } from "./requests.ts";

export async function attackAgent(dir: string, ledger: Ledger, requests: number, token: string): Promise<void> {
  const sim = new SimController(join(dir, "agent.json"));
  const vmId = randomUUID();
  sim.define(vmId, "fuzzed", [{ target: "vda", sizeMiB: 64 }]);
  sim.start(vmId);
  for (let n = 1; n <= 8; n++) sim.checkpoint(vmId, `cp${n}`);
  const repository = join(dir, "agent-backups");
  mkdirSync(repository);
  const tokenSha256 = [createHash("sha256").update(token).digest("hex")];
  const settings = {
    name: "fuzz",
    listen: "127.0.0.1:0",
    libvirtUri: sim.uri,
    tokenSha256,
    repositories: [repository],
  };
  const agent = await startAgent(parseConfig(settings), pino(pino.destination(1)));
  const real = { vmId, target: "vda", name: "cp1", other: "cp2", path: join(repository, "x") };
  const endpoints = endpointsOf(await makeOpenApi("fuzz"));
  const each = Math.ceil(requests / (endpoints.length * 2));
  for (const [i, endpoint] of endpoints.entries()) {
    for (const sent of [token, "another-token"]) {
      const isKnown = sent === token;
      const seed = ledger.result.seed - i;
      for (const { address, body } of fc.sample(requestTo(endpoint, real), { numRuns: each, seed })) {
        const leaving = new AbortController();
        const headers = { authorization: `Bearer ${sent}`, "content-type": "application/json" };
        const text = body === undefined ? undefined : JSON.stringify(body);
        const init = { method: endpoint.method, headers, body: text, signal: leaving.signal };
        const response = await fetch(`${agent.address}/v1${address}`, init);
        const what = `agent: ${endpoint.method} ${address} ${text?.slice(0, 200)}`;
        const kind = isKnown ? "agent, token" : "agent, wrong token";
        const about = { kind, what, isEndless: endpoint.path === "/events" };
        const status = await ledger.take(about, response, () => leaving.abort());
        if (!isKnown && status < 400) ledger.fault(`${status} without a token for ${what}`);
      }
    }
  }
  const listening = async () => {
    const text = await (await fetch(`${agent.address}/metrics`)).text();
    return /event_readers\S* 0$/m.test(text);
  };
  await until("the streams to end", 10_000, listening).catch((error: Error) =>
    ledger.fault(`of the agent: ${error.message}`),
  );
  await agent.close();
}
