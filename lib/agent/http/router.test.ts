import { createRouterClient } from "@orpc/server";
import { describe, expect, it } from "vitest";
import type { AgentConfig } from "../config.ts";
import type { HostDriver } from "../driver.ts";
import { sealObservation } from "../operations/observation.ts";
import type { Pairing } from "../pairing/pairing.ts";
import { checkItem, makeRouter } from "./router.ts";

const observation = sealObservation({
  vmId: "11111111-1111-4111-8111-111111111111",
  name: "a",
  power: "running",
  persistent: true,
  runtimeId: "1",
  observedAt: "2026-01-01T00:00:00Z",
  source: "qmp",
  checkpoints: { ok: true, value: [] },
  disks: [],
  job: { ok: true, value: { operation: "none", elapsedMs: 0, doneBytes: null, totalBytes: null } },
});

describe("items of an observe stream", () => {
  it("passes on what fits the contract", () => {
    const item = { type: "observation" as const, observation };
    expect(checkItem(item)).toEqual(item);
  });

  it("turns one that does not fit into a failure of that domain alone, and says where", () => {
    const checkpoint = { id: "x".repeat(2_000), parentId: null, createdAt: "2026-01-01T00:00:00Z", current: false };
    const odd = { ...checkpoint, hasDisksElement: true, disks: [] };
    const checkpoints = { ok: true as const, value: [odd] };
    const item = checkItem({ type: "observation", observation: { ...observation, checkpoints } });
    expect(item).toMatchObject({ type: "failed", vmId: observation.vmId, error: { code: "internal" } });
    expect(item.type === "failed" && item.error.hostMessage).toContain("observation.checkpoints.value[0].id");
  });
});

describe("extents", () => {
  it("are not read while a change holds the domain: the job that shows them would stand in its way", async () => {
    const changing = Promise.withResolvers<never>();
    const driver = { redefine: () => changing.promise, extents: () => expect.unreachable() };
    const context = { traceId: "", shutdown: new AbortController().signal, tokenSha256: "" };
    const router = makeRouter({} as AgentConfig, driver as unknown as HostDriver, {} as Pairing);
    const api = createRouterClient(router, { context });
    const { vmId } = observation;
    const change = api.redefine({ vmId, checkpoints: [], mode: "strict" }).catch(() => "ended");
    await expect(api.extents({ vmId, target: "vda", name: "cp1", buckets: 4 })).rejects.toMatchObject({
      code: "vm_busy",
      message: expect.stringContaining("redefine"),
    });
    changing.reject(new Error("over"));
    expect(await change).toBe("ended");
  });
});
