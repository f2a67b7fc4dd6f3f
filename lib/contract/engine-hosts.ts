/** The engine's calls that add, change and retire hosts. */
import { oc } from "@orpc/contract";
import { z } from "zod";
import { checkPairedUrl } from "./agent-url.ts";
import { isoTime, observeErrorSchema, uuid } from "./common.ts";

export const hostSchema = z.object({
  id: uuid,
  name: z.string(),
  url: z.string(),
  kind: z.enum(["libvirt", "simulated", "unknown"]),
  state: z.enum(["online", "degraded", "offline", "never"]),
  lastContactAt: isoTime.nullable(),
  lastSweepAt: isoTime.nullable(),
  error: observeErrorSchema.nullable(),
  libvirtVersion: z.string().nullable(),
  qemuVersion: z.string().nullable(),
  agentVersion: z.string().nullable(),
  clockSkewMs: z.number().nullable(),
  capabilities: z.record(z.string(), z.boolean()),
  switchedOff: z.array(z.object({ what: z.string(), why: z.string() })),
  vms: z.int(),
  /** `configuration`: DRIFTLINE_CONFIG names it, and only a change of that file changes it. */
  origin: z.enum(["configuration", "paired"]),
  pairedAt: isoTime.nullable(),
  rotatedAt: isoTime.nullable(),
  /** Not watched any more since then; what was known of it stays. */
  retiredAt: isoTime.nullable(),
});
export type Host = z.infer<typeof hostSchema>;

const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const hostName = z
  .string()
  .min(1)
  .max(200)
  .refine((name) => name.trim() === name && !CONTROL.test(name), "no control characters, no spaces at its ends");
const hostUrl = z
  .string()
  .max(300)
  .superRefine((url, context) => {
    const wrong = checkPairedUrl(url);
    if (wrong) context.addIssue({ code: "custom", message: wrong });
  });

export const hostChanges = {
  pair: oc
    .route({ method: "POST", path: "/hosts", successStatus: 201, summary: "Pair a host by its agent's one-time code" })
    .input(z.strictObject({ name: hostName, url: hostUrl, code: z.string().min(1).max(100) }))
    .output(hostSchema),
  update: oc
    .route({ method: "PATCH", path: "/hosts/{hostId}", summary: "Change a paired host's name or address" })
    .input(z.strictObject({ hostId: uuid, name: hostName.optional(), url: hostUrl.optional() }))
    .output(hostSchema),
  retire: oc
    .route({ method: "DELETE", path: "/hosts/{hostId}", summary: "Watch a paired host no longer; its history stays" })
    .input(z.strictObject({ hostId: uuid }))
    .output(hostSchema),
  rotate: oc
    .route({ method: "POST", path: "/hosts/{hostId}/rotate", summary: "Give a paired host a new token, without a gap" })
    .input(z.strictObject({ hostId: uuid }))
    .output(hostSchema),
};
