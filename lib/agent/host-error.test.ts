import { expect, test } from "vitest";
import { HostFailure } from "./failure.ts";
import { toHostError } from "./host-error.ts";
import { typeLibvirtError } from "./libvirt/errors.ts";

const ofLibvirt = (code: number, domain: number) =>
  toHostError(new HostFailure(typeLibvirtError({ code, domain, message: "words" }), { code, domain }));

test.each([
  ["QEMU's refusal", 1, 10, "internal", false],
  ["a system call that failed", 38, 10, "internal", false],
  ["a code that nobody knows", 9_999, 10, "internal", false],
  ["a bitmap that is broken", 109, 10, "checkpoint-inconsistent", false],
  ["the lock of a domain", 68, 10, "lock-held", true],
  ["a lost connection", 38, 7, "libvirt-unreachable", true],
] as const)("a change that meets %s is tried again only if that may pass", (_, code, domain, typed, retryable) => {
  expect(ofLibvirt(code, domain)).toMatchObject({ code: typed, retryable, libvirtCode: code });
});

test("what failed in the agent itself may pass", () => {
  expect(toHostError(new Error("ours"))).toMatchObject({ code: "internal", retryable: true, libvirtCode: null });
});
