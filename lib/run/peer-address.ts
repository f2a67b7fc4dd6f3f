/**
 * Loaded into the web process (`--import`): says in a header of ours where each connection comes from, because a route
 * of Next cannot ask its socket. What the sender wrote there is overwritten. Without a proxy in front of us the
 * forwarding headers are the sender's own words and are dropped; with one its last entry is the address that it saw.
 */
import { subscribe } from "node:diagnostics_channel";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

const FORWARDED = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-real-ip",
];

export function notePeer(
  headers: IncomingHttpHeaders,
  socketAddress: string | undefined,
  isBehindProxy: boolean,
): void {
  let peer = socketAddress ?? "unknown";
  if (isBehindProxy) {
    const said = String(headers["x-forwarded-for"] ?? "")
      .split(",")
      .at(-1)
      ?.trim();
    if (said) peer = said;
  } else {
    for (const name of FORWARDED) delete headers[name];
  }
  headers["x-driftline-peer"] = peer;
}

subscribe("http.server.request.start", (message) => {
  const { request } = message as { request: IncomingMessage };
  notePeer(request.headers, request.socket.remoteAddress, process.env.DRIFTLINE_TLS_PROXY === "1");
});
