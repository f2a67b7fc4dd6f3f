/** The agent's key and its self-signed certificate, made once. An engine pins the certificate when it is paired. */
import { X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../qemu/tools.ts";
import { readPrivate, writePrivate } from "./files.ts";

export type Identity = { cert: string; key: string };

const MAKE_MS = 20_000;

/** The DER of a PEM certificate: what fingerprints are made of. */
export const derOf = (pem: string): Buffer => new X509Certificate(pem).raw;

/**
 * Node makes keys but no certificates, so the openssl program does (it is on every Debian). No argument comes from
 * outside; the name in the certificate says nothing, because nobody goes by it: the whole certificate is pinned.
 */
async function makeIdentity(folder: string): Promise<void> {
  const work = mkdtempSync(join(folder, "making-"));
  try {
    const key = join(work, "key.pem");
    const cert = join(work, "cert.pem");
    const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"];
    args.push("-config", "/dev/null", "-subj", "/CN=driftline-agent", "-days", "36500");
    args.push("-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth");
    const made = await runTool("openssl", [...args, "-keyout", key, "-out", cert], { timeoutMs: MAKE_MS });
    if (made.code !== 0) throw new Error(`openssl could not make the certificate: ${made.stderr.trim().slice(0, 500)}`);
    // Key first: a certificate without its key would be taken for a whole identity.
    writePrivate(join(folder, "identity.key"), readFileSync(key, "utf8"));
    writePrivate(join(folder, "identity.crt"), readFileSync(cert, "utf8"));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Reads the identity below a state directory; makes both when they are not there yet. */
export async function openIdentity(folder: string): Promise<Identity> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  if (readPrivate(join(folder, "identity.crt")) === null) await makeIdentity(folder);
  const cert = readPrivate(join(folder, "identity.crt"));
  const key = readPrivate(join(folder, "identity.key"));
  if (cert === null || key === null) throw new Error(`${folder} has a certificate and no key: remove both`);
  return { cert, key };
}
