import { z } from "zod";
import { isoTime } from "./common.ts";

/** A support bundle: one JSON document that says what it holds, what was cut out and what could not be had. */
export const bundleSchema = z.object({
  manifest: z.object({
    subject: z.string(),
    generatedAt: isoTime,
    generatedBy: z.string(),
    version: z.string(),
    parts: z.array(z.object({ name: z.string(), items: z.int(), complete: z.boolean() })),
    redaction: z.array(z.object({ what: z.string(), why: z.string() })),
    notCollected: z.array(z.object({ what: z.string(), why: z.string() })),
  }),
  parts: z.record(z.string(), z.unknown()),
});
export type Bundle = z.infer<typeof bundleSchema>;
