import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ConfigError, parseConfig, parseListen } from "./config.ts";

const tokenSha256 = [createHash("sha256").update("t").digest("hex")];
const faultsOf = (value: unknown): string[] => {
  try {
    parseConfig(value);
    return [];
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.faults;
    throw thrown;
  }
};

describe("agent configuration", () => {
  it("takes the documented keys and defaults to loopback", () => {
    expect(parseConfig({ tokenSha256 })).toMatchObject({
      listen: { kind: "tcp", host: "127.0.0.1", port: 7411 },
      libvirtUri: "qemu:///system",
      tls: null,
      repositories: [],
      qmp: "allow",
    });
  });

  it("names the nearest known key for an unknown one, also inside tls", () => {
    const faults = faultsOf({ tokenSha265: tokenSha256, Listen: "x", tls: { certificate: "/a", key: "/b" } });
    expect(faults).toContain('unknown key "tokenSha265", did you mean "tokenSha256"?');
    expect(faults).toContain('unknown key "Listen", did you mean "listen"?');
    expect(faults).toContain('unknown key "tls.certificate", did you mean "cert"?');
  });

  it("refuses any address but loopback without TLS", () => {
    for (const listen of ["0.0.0.0:7411", "192.0.2.1:7411", "[::]:7411", "host.example:7411", "128.0.0.1:1"]) {
      expect(faultsOf({ tokenSha256, listen })).toEqual([expect.stringContaining("tls with cert and key is required")]);
    }
    for (const listen of ["127.0.0.1:0", "127.8.9.1:1", "[::1]:7411", "localhost:7411", "unix:/run/a.sock"]) {
      expect(faultsOf({ tokenSha256, listen })).toEqual([]);
    }
    expect(faultsOf({ tokenSha256, listen: "0.0.0.0:1", tls: { cert: "/c", key: "/k" } })).toEqual([]);
  });

  it("refuses to start without a token, and a token that is not a SHA-256", () => {
    expect(faultsOf({})).toEqual([expect.stringContaining("tokenSha256")]);
    expect(faultsOf({ tokenSha256: [] })).toEqual([expect.stringContaining("at least one")]);
    expect(faultsOf({ tokenSha256: ["secret"] })).toEqual([expect.stringContaining("tokenSha256.0")]);
  });

  it("takes only absolute repository folders", () => {
    expect(faultsOf({ tokenSha256, repositories: ["backup", "/srv/backup"] })).toEqual([
      "repositories.0: must be an absolute path",
    ]);
  });

  it("reads host:port, [v6]:port and unix:/path, and nothing else", () => {
    expect(parseListen("[::1]:80")).toEqual({ kind: "tcp", host: "::1", port: 80 });
    expect(parseListen("unix:/run/a")).toEqual({ kind: "unix", path: "/run/a" });
    for (const wrong of ["", "7411", ":7411", "::1:80", "a:b", "a:70000", "unix:a", `unix:/${"x".repeat(108)}`]) {
      expect([wrong, parseListen(wrong)]).toEqual([wrong, null]);
    }
  });
});
