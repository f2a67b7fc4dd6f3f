import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CODE_SECRET_BYTES, formatPairingCode, isCodeFor, pairingProof, parsePairingCode } from "./pairing-code.ts";

const certificate = Buffer.from("a certificate");
const sha256 = createHash("sha256").update(certificate).digest();
const secrets = fc
  .uint8Array({ minLength: CODE_SECRET_BYTES, maxLength: CODE_SECRET_BYTES })
  .map((b) => Buffer.from(b));

describe("pairing code", () => {
  it("comes back as it was, also in lower case, with spaces, and with letters for the digits that they look like", () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        const code = formatPairingCode(secret, sha256);
        expect(code).toMatch(/^([0-9A-Z]{5}-){8}[0-9A-Z]{5}$/);
        const typed = code.toLowerCase().replaceAll("-", " ").replaceAll("0", "o").replaceAll("1", "l");
        for (const text of [code, typed]) {
          const parsed = parsePairingCode(text);
          expect(parsed?.secret.equals(secret)).toBe(true);
          expect(parsed && isCodeFor(parsed, certificate)).toBe(true);
        }
      }),
    );
  });

  it("is refused with one wrong letter, a missing or an extra one", () => {
    let passed = 0;
    const code = formatPairingCode(Buffer.alloc(CODE_SECRET_BYTES, 7), sha256);
    for (let i = 0; i < code.length; i++) {
      if (code[i] === "-") continue;
      for (const letter of "ABZ9") {
        const wrong = `${code.slice(0, i)}${letter}${code.slice(i + 1)}`;
        if (letter !== code[i] && parsePairingCode(wrong) !== null) passed += 1;
      }
      expect(parsePairingCode(code.slice(0, i) + code.slice(i + 1))).toBeNull();
    }
    expect(passed).toBe(0);
    expect(parsePairingCode(`${code}A`)).toBeNull();
    expect(parsePairingCode("")).toBeNull();
  });

  it("is not for another certificate", () => {
    const code = parsePairingCode(formatPairingCode(Buffer.alloc(CODE_SECRET_BYTES, 1), sha256));
    expect(code && isCodeFor(code, Buffer.from("another certificate"))).toBe(false);
  });

  it("has a proof that fits only this secret, this certificate and this token", () => {
    const secret = Buffer.alloc(CODE_SECRET_BYTES, 1);
    const proofs = [
      pairingProof(secret, certificate, "t1"),
      pairingProof(secret, certificate, "t2"),
      pairingProof(secret, Buffer.from("other"), "t1"),
      pairingProof(Buffer.alloc(CODE_SECRET_BYTES, 2), certificate, "t1"),
    ];
    expect(new Set(proofs).size).toBe(4);
  });
});
