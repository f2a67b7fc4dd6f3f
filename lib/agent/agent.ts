/** Puts an agent together: driver, handler, server. */
import { readFileSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect } from "node:net";
import type { Logger } from "pino";
import { LIMITS } from "#chain/limits.ts";
import type { AgentConfig, Listen } from "./config.ts";
import type { HostDriver } from "./driver.ts";
import { answerClientError, makeHandler } from "./http/handler.ts";
import { makeMetrics } from "./http/metrics.ts";
import { openLibvirtDriver } from "./libvirt/driver.ts";
import { type Identity, openIdentity } from "./pairing/identity.ts";
import { Pairing } from "./pairing/pairing.ts";
import { openSimulatedDriver } from "./simulated/driver.ts";
import { simPath } from "./simulated/state.ts";

/** Time to receive a whole request of `LIMITS.bodyBytes`, and its head; and how often that is looked at. */
const TIMES = { requestMs: 30_000, headMs: 10_000, lookEveryMs: 2_000 };
const SHUTDOWN_MS = 5_000;

export type Agent = {
  /** `http://127.0.0.1:7411`, `https://…` or `unix:/path`. */
  address: string;
  close(): Promise<void>;
};

function openDriver(config: AgentConfig): HostDriver {
  const qmp = config.qmp === "allow";
  const path = simPath(config.libvirtUri);
  const { libvirtUri: uri, repositories } = config;
  return path === null
    ? openLibvirtDriver({ uri, qmp, repositories })
    : openSimulatedDriver({ path, qmp, repositories });
}

/** A socket file that nobody answers on is left over from an agent that was killed. */
async function removeStaleSocket(path: string): Promise<void> {
  const answered = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => resolve(true));
    probe.on("error", () => resolve(false));
    probe.on("connect", () => probe.destroy());
  });
  if (!answered) await unlink(path).catch(() => undefined);
}

async function listen(server: Server, where: Listen): Promise<string> {
  if (where.kind === "unix") await removeStaleSocket(where.path);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if (where.kind === "unix") server.listen({ path: where.path }, resolve);
    else server.listen({ host: where.host, port: where.port }, resolve);
  });
  const address = server.address();
  if (where.kind === "unix" || address === null || typeof address === "string") return `unix:${address}`;
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `${host}:${address.port}`;
}

/** The certificate that this agent shows, and its key; null: it speaks plain HTTP, on this machine only. */
export async function readTls({ tls, listen, stateDir }: AgentConfig): Promise<Identity | null> {
  if (tls !== null) return { cert: readFileSync(tls.cert, "utf8"), key: readFileSync(tls.key, "utf8") };
  if (stateDir === null) return null;
  const identity = await openIdentity(stateDir);
  return listen.kind === "unix" ? null : identity;
}

/** Starts an agent; it answers when the promise resolves, whether libvirt is there or not. */
export async function startAgent(config: AgentConfig, log: Logger, times = TIMES): Promise<Agent> {
  const tls = await readTls(config);
  const pairing = new Pairing({ folder: config.stateDir, cert: tls?.cert ?? null, log });
  const driver = openDriver(config);
  const shutdown = new AbortController();
  const metrics = makeMetrics(driver);
  const handler = makeHandler({ config, driver, pairing, metrics, log, shutdown: shutdown.signal });
  const options = {
    requestTimeout: times.requestMs,
    headersTimeout: times.headMs,
    connectionsCheckingInterval: times.lookEveryMs,
    maxHeaderSize: 16 * 1024,
    minVersion: "TLSv1.2" as const,
    ...tls,
  };
  const server = tls === null ? createHttpServer(options) : createHttpsServer(options);
  server.maxConnections = 512;
  server.on("request", (request, response) => void handler(request, response));
  server.on("clientError", answerClientError);
  try {
    const bound = await listen(server, config.listen);
    const address = bound.startsWith("unix:") ? bound : `${tls === null ? "http" : "https"}://${bound}`;
    log.info({ address, uri: config.libvirtUri, bodyBytes: LIMITS.bodyBytes }, "listening");
    return {
      address,
      async close() {
        shutdown.abort();
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeIdleConnections();
        const timer = setTimeout(() => server.closeAllConnections(), SHUTDOWN_MS);
        await closed;
        clearTimeout(timer);
        await driver.close();
      },
    };
  } catch (thrown) {
    await driver.close();
    throw thrown;
  }
}
