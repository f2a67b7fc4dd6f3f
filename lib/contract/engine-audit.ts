/** Who did what. */
import { oc } from "@orpc/contract";
import { z } from "zod";
import { isoTime, uuid } from "./common.ts";
import { cursor, limit, page } from "./paging.ts";
import { ROLES } from "./roles.ts";

const AUDIT_OUTCOMES = ["done", "unchanged", "refused", "failed"] as const;

export const auditRoutes = {
  list: oc
    .route({ method: "GET", path: "/audit", summary: "Who did what, newest first" })
    .input(
      z.strictObject({
        subject: z.string().max(300).optional(),
        actor: z.string().max(300).optional(),
        action: z.string().max(100).optional(),
        outcome: z.enum(AUDIT_OUTCOMES).optional(),
        /** From this time on, and before that one. */
        from: isoTime.optional(),
        to: isoTime.optional(),
        cursor,
        limit,
      }),
    )
    .output(
      page(
        z.object({
          id: z.string(),
          at: isoTime,
          actor: z.string(),
          role: z.enum(ROLES).nullable(),
          action: z.string(),
          subject: z.string().nullable(),
          /** What the subject is now, and is called, where it is something that there still is and that the caller may see. */
          subjectName: z.string().nullable(),
          subjectKind: z.enum(["vm", "host", "user", "key"]).nullable(),
          outcome: z.enum(AUDIT_OUTCOMES),
          detail: z.string().nullable(),
          traceId: z.string().nullable(),
          planId: uuid.nullable(),
          jobId: uuid.nullable(),
          /** Given by the person. */
          reason: z.string().nullable(),
        }),
      ),
    ),
};
