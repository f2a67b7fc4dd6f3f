import { describe, expect, it } from "vitest";
import { isConnectionLost, typeLibvirtError, typeOpenError } from "./errors.ts";

const error = (code: number, domain: number) => ({ code, domain, message: "words" });

describe("libvirt's errors", () => {
  it.each([
    ["the lock of a domain", 68, 0, "lock-held", true],
    ["a read-only connection", 29, 10, "permission-denied", false],
    ["polkit", 94, 60, "permission-denied", false],
    ["a closed socket (1/7)", 1, 7, "libvirt-unreachable", true],
    ["end of file (38/7)", 38, 7, "libvirt-unreachable", true],
    ["anything else of QEMU's driver", 1, 10, "internal", true],
  ])("types %s by code and domain", (_, code, domain, typed, retryable) => {
    expect(typeLibvirtError(error(code, domain))).toMatchObject({ code: typed, retryable });
  });

  it("takes a system error for a lost connection only when it comes from the RPC layer", () => {
    expect(isConnectionLost(error(38, 7))).toBe(true);
    expect(isConnectionLost(error(38, 10))).toBe(false);
  });

  it("calls a connection that cannot be opened unreachable unless access was denied", () => {
    expect(typeOpenError(error(38, 7)).code).toBe("libvirt-unreachable");
    expect(typeOpenError(error(45, 7)).code).toBe("permission-denied");
  });
});
