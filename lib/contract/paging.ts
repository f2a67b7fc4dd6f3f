/** What every list of the engine takes and gives: a cursor that is opaque to the caller, and how many at most. */
import { z } from "zod";
import { LIMITS } from "#chain/limits.ts";

export const cursor = z.string().max(512).optional();
export const limit = z.coerce.number().int().min(1).max(LIMITS.pageSize).default(50);
export const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable(), total: z.int() });
