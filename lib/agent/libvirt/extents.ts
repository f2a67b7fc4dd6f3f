/** Dirty extents of one bitmap. */
import type { Extents } from "#contract/common.ts";
import { ProblemError } from "#contract/problem.ts";
import type { ExtentsRequest } from "../driver.ts";
import type { CallPool } from "./call-pool.ts";

export async function readExtents(_pool: CallPool, request: ExtentsRequest): Promise<Extents> {
  throw new ProblemError("not_implemented", "Extents are not available in this agent yet.", { subject: request.vmId });
}
