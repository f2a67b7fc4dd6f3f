import { expect, test } from "vitest";
import { MOST_OF_ALL, networkOf, waitFor } from "./attempts.ts";

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2ff::1", "2001:0db8:0001:0200::/56"],
  ["2001:DB8:1:200:a:b:c:d", "2001:0db8:0001:0200::/56"],
  ["2001:db8::", "2001:0db8:0000:0000::/56"],
  ["fe80::1%eth0", "fe80:0000:0000:0000::/56"],
  ["::1", "0000:0000:0000:0000::/56"],
  ["unknown", "unknown"],
  [null, ""],
])("%s is of the network %s: one person's addresses are one", (peer, network) => {
  expect(networkOf(peer)).toBe(network);
});

test("two neighbours who have a /56 each are two networks", () => {
  expect(networkOf("2001:db8:1:200::1")).not.toBe(networkOf("2001:db8:1:300::1"));
});

test("nobody waits before an account is attacked, then longer and longer up to a bound", () => {
  expect(waitFor(MOST_OF_ALL)).toBe(0);
  const waits = [1, 11, 21, 31, 1_000, 1_000_000].map((more) => waitFor(MOST_OF_ALL + more));
  expect(waits).toEqual([250, 500, 1_000, 2_000, 8_000, 8_000]);
});
