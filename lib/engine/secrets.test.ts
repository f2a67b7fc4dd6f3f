import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadSecretKey, makeSealer } from "./secrets.ts";

const folder = mkdtempSync(join(tmpdir(), "dl-secrets-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("tokens at rest", () => {
  const sealer = makeSealer(Buffer.alloc(32, 1));
  const sealed = sealer.seal("the token", "host a");

  it("come back only beside what they were sealed for", () => {
    expect(sealer.open(sealed, "host a")).toBe("the token");
    expect(() => sealer.open(sealed, "host b")).toThrow("belongs to another host");
  });

  it("are never twice the same and do not show the token", () => {
    expect(sealer.seal("the token", "host a")).not.toBe(sealed);
    expect(Buffer.from(sealed.split(".")[2] ?? "", "base64url").toString("latin1")).not.toContain("the token");
  });

  it("are refused with words under another key, and after any change", () => {
    expect(() => makeSealer(Buffer.alloc(32, 2)).open(sealed, "host a")).toThrow("DRIFTLINE_SECRET_KEY");
    const [version, id, data = ""] = sealed.split(".");
    const bytes = Buffer.from(data, "base64url");
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(() => sealer.open(`${version}.${id}.${changed.toString("base64url")}`, "host a")).toThrow();
    }
    expect(() => sealer.open("the token", "host a")).toThrow("not one of ours");
  });
});

describe("the secret key", () => {
  it("is the one of the environment, or a file of its own that stays the same and that nobody else reads", () => {
    expect(loadSecretKey({ DRIFTLINE_SECRET_KEY: "ab".repeat(32) })?.toString("hex")).toBe("ab".repeat(32));
    const made = loadSecretKey({ DRIFTLINE_DATA_DIR: folder });
    expect(made).toHaveLength(32);
    expect(loadSecretKey({ DRIFTLINE_DATA_DIR: folder })?.equals(made ?? Buffer.alloc(0))).toBe(true);
    expect(statSync(join(folder, "secret.key")).mode & 0o777).toBe(0o600);
    expect(loadSecretKey({})).toBeNull();
  });

  it("is refused when it is no key, or when others may read the file", () => {
    expect(() => loadSecretKey({ DRIFTLINE_SECRET_KEY: "short" })).toThrow("64 hex digits");
    chmodSync(join(folder, "secret.key"), 0o644);
    expect(() => loadSecretKey({ DRIFTLINE_DATA_DIR: folder })).toThrow("0600");
  });
});
