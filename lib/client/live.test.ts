import { type Query, QueryClient } from "@tanstack/react-query";
import { expect, test } from "vitest";
import type { EngineApi } from "./api.ts";
import { dependsOnHosts, isReadUnasked } from "./live.tsx";
import { engineQueries } from "./queries.ts";

test("extents are never read again without being asked for, all else of a VM is", () => {
  const queries = engineQueries({} as EngineApi);
  expect(isReadUnasked(queries.extents("v", "vda", "cp0", 64))).toBe(false);
  expect(isReadUnasked(queries.chain("v"))).toBe(true);
  expect(isReadUnasked(queries.hosts())).toBe(true);
});

test("a host that changed makes the fleet, plans and its own VMs be read again, and no other VM, job or backup", () => {
  const queries = engineQueries({} as EngineApi);
  const client = new QueryClient();
  const answers: [string, readonly unknown[], unknown][] = [
    ["hosts", queries.hosts().queryKey, {}],
    ["counts", queries.fleetCounts({ sort: "name" }).queryKey, {}],
    ["its chain", queries.chain("a").queryKey, { vm: { hostId: "h1" } }],
    ["its summary", queries.vm("a").queryKey, { hostId: "h1" }],
    ["a VM that is nowhere", queries.vm("c").queryKey, { hostId: null }],
    ["plan", queries.plan("p").queryKey, {}],
    ["another chain", queries.chain("b").queryKey, { vm: { hostId: "h2" } }],
    ["another summary", queries.vm("b").queryKey, { hostId: "h2" }],
    ["backups", queries.backups("a").queryKey, { items: [] }],
    ["extents", queries.extents("a", "vda", "cp0", 64).queryKey, {}],
    ["jobs", queries.jobs({ vm: null, state: null }).queryKey, {}],
  ];
  for (const [, key, data] of answers) client.setQueryData(key, data);
  const isRead = (key: readonly unknown[]) =>
    dependsOnHosts(client.getQueryCache().find({ queryKey: key }) as Query, new Set(["h1"]));
  expect(answers.filter(([, key]) => isRead(key)).map(([name]) => name)).toEqual([
    "hosts",
    "counts",
    "its chain",
    "its summary",
    "a VM that is nowhere",
    "plan",
  ]);
});
