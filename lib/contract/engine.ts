/** The engine's API, `/api/v1`: what the browser, scripts and other managers use. */
import { eventIterator, oc } from "@orpc/contract";
import { z } from "zod";
import { isoTime, uuid, vmId } from "./common.ts";
import { auditRoutes } from "./engine-audit.ts";
import { backupRoutes } from "./engine-backups.ts";
import { bundleSchema } from "./engine-bundle.ts";
import { hostChanges, hostSchema } from "./engine-hosts.ts";
import { jobRoutes } from "./engine-jobs.ts";
import { accountRoutes, apiKeyRoutes, settingsRoutes, userRoutes } from "./engine-people.ts";
import { planGroupRoutes, planRoutes } from "./engine-plans.ts";
import { vmRoutes } from "./engine-vms.ts";
import { cursor, limit, page } from "./paging.ts";
import { ROLES, type Role } from "./roles.ts";

export type { BackupView } from "./engine-backups.ts";
export type { Bundle } from "./engine-bundle.ts";
export type { Host } from "./engine-hosts.ts";
export type { JobRow, JobView } from "./engine-jobs.ts";
export type { ApiKeyView, OneTimeLink, SessionView, SettingView, UserView } from "./engine-people.ts";
export type { PlanGroup, PlanView } from "./engine-plans.ts";

export { ROLES, type Role };

export const engineEventSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("vm"), vmId, at: isoTime }),
  z.object({ type: z.literal("host"), hostId: uuid, at: isoTime }),
  z.object({ type: z.literal("job"), jobId: z.string(), vmId, at: isoTime }),
  z.object({ type: z.literal("heartbeat"), at: isoTime }),
]);
export type EngineEvent = z.infer<typeof engineEventSchema>;

export const engineContract = {
  me: oc
    .route({ method: "GET", path: "/me", summary: "Who is asking, and with which role" })
    .input(z.strictObject({}).optional())
    .output(
      z.object({
        kind: z.enum(["person", "program"]),
        name: z.string(),
        role: z.enum(ROLES),
        /** The hosts that this key may see; null: all. */
        hosts: z.array(uuid).nullable(),
      }),
    ),
  vms: vmRoutes,
  hosts: {
    list: oc
      .route({ method: "GET", path: "/hosts", summary: "Hosts with their last contact and capabilities" })
      .input(z.strictObject({ cursor, limit }))
      .output(page(hostSchema)),
    get: oc
      .route({ method: "GET", path: "/hosts/{hostId}", summary: "One host" })
      .input(z.strictObject({ hostId: uuid }))
      .output(hostSchema),
    bundle: oc
      .route({ method: "GET", path: "/hosts/{hostId}/bundle", summary: "Support bundle of one host" })
      .input(z.strictObject({ hostId: uuid }))
      .output(bundleSchema),
    observe: oc
      .route({ method: "POST", path: "/hosts/{hostId}/observe", summary: "Read every VM of a host now" })
      .input(z.strictObject({ hostId: uuid }))
      .output(z.object({ observed: z.int(), unchanged: z.int(), failed: z.int(), host: hostSchema })),
    ...hostChanges,
  },
  audit: auditRoutes,
  plans: planRoutes,
  planGroups: planGroupRoutes,
  jobs: jobRoutes,
  backups: backupRoutes,
  users: userRoutes,
  account: accountRoutes,
  apiKeys: apiKeyRoutes,
  settings: settingsRoutes,
  events: oc
    .route({ method: "GET", path: "/events", summary: "Server-sent: VM, job and host changes" })
    .input(z.strictObject({ vmId: vmId.optional() }))
    .output(eventIterator(engineEventSchema)),
};
