import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AuditEntry, Db } from "#db/index.ts";
import { createMetrics } from "./metrics.ts";
import { MOST_IN_WINDOW, openRefusals, type Refusal, WINDOW_MS } from "./refusals.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const refusal = (actor: string, action: string): Refusal => ({
  actor,
  role: "viewer",
  action,
  subject: null,
  detail: "no",
  code: "forbidden",
  traceId: "t",
});

function open() {
  const rows: AuditEntry[] = [];
  const write = async (_: unknown, entry: AuditEntry) => void rows.push(entry);
  const refusals = openRefusals({ orm: null } as unknown as Db, createMetrics(), write);
  const repeat = async (times: number, actor: string, action = "plans.apply") => {
    for (let i = 0; i < times; i++) await refusals.note(refusal(actor, action));
  };
  return { refusals, repeat, floods: () => rows.filter(({ action }) => action === "audit.flood"), rows };
}
const words = (n: number, actor: string) =>
  expect.stringMatching(new RegExp(`^${n} further refusals of ${actor} within a minute `));

describe("a flood of refusals", () => {
  it("is written as one row for each actor, with that actor's own number", async () => {
    const { refusals, repeat, floods, rows } = open();
    await repeat(MOST_IN_WINDOW + 5, "key:noisy");
    await repeat(MOST_IN_WINDOW + 2, "key:loud");
    await repeat(3, "key:loud", "vms.observe");
    await repeat(1, "key:quiet");
    expect(rows).toHaveLength(2 * MOST_IN_WINDOW + 4);
    await refusals.flush();
    expect(floods().map(({ detail }) => detail)).toEqual([words(5, "key:noisy"), words(2, "key:loud")]);
    await refusals.flush();
    expect(floods()).toHaveLength(2);
  });

  it("is written when its minute is over, also when nobody is refused any more", async () => {
    const { repeat, floods } = open();
    await repeat(MOST_IN_WINDOW + 4, "anonymous");
    expect(floods()).toEqual([]);
    await vi.advanceTimersByTimeAsync(WINDOW_MS);
    expect(floods().map(({ detail }) => detail)).toEqual([words(4, "anonymous")]);
  });

  it("begins anew after its minute", async () => {
    const { repeat, rows } = open();
    await repeat(MOST_IN_WINDOW, "anonymous");
    await vi.advanceTimersByTimeAsync(WINDOW_MS);
    await repeat(1, "anonymous");
    expect(rows).toHaveLength(MOST_IN_WINDOW + 1);
  });
});
