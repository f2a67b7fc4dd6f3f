/**
 * Tokens at rest: AES-256-GCM under a key that is not in the database. It protects them from whoever reads the
 * database, a dump or a replica of it; not from whoever can read this process's environment, files or memory.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SealBroken } from "./agents/failure.ts";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export type Sealer = {
  /** `bound`: what the text belongs to; it opens only beside the same. */
  seal: (text: string, bound: string) => string;
  /** @throws SealBroken: another key, another owner, or changed */
  open: (sealed: string, bound: string) => string;
};

export function makeSealer(key: Buffer): Sealer {
  if (key.length !== KEY_BYTES) throw new Error(`the secret key must have ${KEY_BYTES} bytes`);
  // Names the key without telling anything of it, so that a wrong one can be told from a damaged text.
  const keyId = createHash("sha256").update("driftline key id").update(key).digest("hex").slice(0, 8);
  return {
    seal: (text, bound) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(bound));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return `1.${keyId}.${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64url")}`;
    },
    open: (sealed, bound) => {
      const [version, id, data] = sealed.split(".");
      if (version !== "1" || data === undefined) throw new SealBroken("It is not one of ours.");
      if (id !== keyId) {
        throw new SealBroken(`It was sealed under the key ${id}, this process has ${keyId}: see DRIFTLINE_SECRET_KEY.`);
      }
      const bytes = Buffer.from(data, "base64url");
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(Buffer.from(bound));
        decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString(
          "utf8",
        );
      } catch {
        throw new SealBroken("It was changed in the database, or belongs to another host.");
      }
    },
  };
}

/**
 * The key of this installation: DRIFTLINE_SECRET_KEY (64 hex digits; all web processes of one database need the same),
 * else the file `secret.key` in DRIFTLINE_DATA_DIR, made at the first start. Null: neither can be had.
 * @throws when what is there is not a key, or others may read the file
 */
export function loadSecretKey(env: Readonly<Record<string, string | undefined>>): Buffer | null {
  const given = env.DRIFTLINE_SECRET_KEY;
  if (given) {
    if (!/^[0-9a-f]{64}$/i.test(given))
      throw new Error("DRIFTLINE_SECRET_KEY must be 64 hex digits (openssl rand -hex 32)");
    return Buffer.from(given, "hex");
  }
  const folder = env.DRIFTLINE_DATA_DIR;
  if (!folder) return null;
  const file = join(folder, "secret.key");
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(file, `${randomBytes(KEY_BYTES).toString("hex")}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  if ((statSync(file).mode & 0o077) !== 0) throw new Error(`${file} may be read by others: make it 0600`);
  const text = readFileSync(file, "utf8").trim();
  if (!/^[0-9a-f]{64}$/.test(text)) throw new Error(`${file} does not hold 64 hex digits`);
  return Buffer.from(text, "hex");
}
