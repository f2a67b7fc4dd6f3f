import { expect, test } from "vitest";
import type { EngineApi } from "./api.ts";
import { isReadUnasked } from "./live.tsx";
import { engineQueries } from "./queries.ts";

test("extents are never read again without being asked for, all else of a VM is", () => {
  const queries = engineQueries({} as EngineApi);
  expect(isReadUnasked(queries.extents("v", "vda", "cp0", 64))).toBe(false);
  expect(isReadUnasked(queries.chain("v"))).toBe(true);
  expect(isReadUnasked(queries.hosts())).toBe(true);
});
