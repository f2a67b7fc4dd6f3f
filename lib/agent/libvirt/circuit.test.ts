import { describe, expect, it } from "vitest";
import { observeError } from "../failure.ts";
import { Circuit } from "./circuit.ts";

const timeout = observeError("timeout", "hung");

describe("circuit", () => {
  it("lets everything pass until something hung, then answers at once", () => {
    const circuit = new Circuit(() => 0);
    expect(circuit.refusal).toBeNull();
    circuit.fail(timeout, 5_000);
    expect(circuit.refusal).toBe(timeout);
  });

  it("lets one probe pass after the pause, and no second while that one is out", () => {
    let now = 0;
    const circuit = new Circuit(() => now);
    circuit.fail(timeout, 5_000);
    now = 5_000;
    expect(circuit.refusal).toBeNull();
    circuit.enter();
    expect(circuit.refusal).toBe(timeout);
    circuit.release();
    expect(circuit.refusal).toBeNull();
  });

  it("doubles its pause with each failed probe up to the longest, and forgets with success", () => {
    let now = 0;
    const circuit = new Circuit(() => now);
    const pauses: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      circuit.fail(timeout, 5_000, 30_000);
      const from = now;
      while (circuit.refusal !== null) now += 500;
      pauses.push(now - from);
      circuit.enter();
    }
    expect(pauses).toEqual([5_000, 10_000, 20_000, 30_000, 30_000, 30_000]);
    circuit.succeed();
    expect(circuit.isOpen).toBe(false);
  });
});
