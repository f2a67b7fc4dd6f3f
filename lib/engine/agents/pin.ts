/** A connection to exactly the agent whose certificate was pinned: no authority, no name and no date is asked. */
import { createHash, X509Certificate } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";
import { buildConnector } from "undici";
import { WrongCertificate } from "./failure.ts";

const fingerprint = (der: Buffer): string => createHash("sha256").update(der).digest("hex").slice(0, 32);

function certificateOf(socket: TLSSocket): Buffer {
  const { raw } = socket.getPeerCertificate();
  if (raw === undefined) throw new WrongCertificate("no certificate at all");
  return raw;
}

/** For undici: nothing is sent before the certificate was compared, byte by byte. `certificate`: PEM. */
export function pinnedConnector(certificate: string, timeoutMs: number): buildConnector.connector {
  const pinned = new X509Certificate(certificate).raw;
  // Every connection shows its certificate: none is taken up from an earlier one. Authorities are not asked, because
  // comparing the whole certificate is stricter than any of them.
  const open = buildConnector({ timeout: timeoutMs, rejectUnauthorized: false, maxCachedSessions: 0 });
  return (options, callback) =>
    open(options, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      try {
        if (!("getPeerCertificate" in socket)) throw new WrongCertificate("no TLS");
        const shown = certificateOf(socket as TLSSocket);
        if (!shown.equals(pinned)) throw new WrongCertificate(fingerprint(shown));
        return callback(null, socket);
      } catch (wrong) {
        socket.destroy();
        return callback(wrong as Error, null);
      }
    });
}

/** The certificate (DER) that answers at an address. Nothing is sent to it. */
export function readCertificate(url: string, timeoutMs: number): Promise<Buffer> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs / 1_000} s`)), timeoutMs);
    socket.once("secureConnect", () => {
      try {
        resolve(certificateOf(socket));
      } catch (error) {
        reject(error);
      }
      socket.destroy();
    });
    socket.once("error", reject);
    socket.once("close", () => {
      clearTimeout(timer);
      reject(new Error("the connection was closed"));
    });
  });
}

/** PEM of a DER certificate. */
export const toPem = (der: Buffer): string => new X509Certificate(der).toString();
