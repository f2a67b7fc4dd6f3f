/** Jobs: a plan that runs or ran, its steps as they happened, and the read that proves it. */
import { oc } from "@orpc/contract";
import { z } from "zod";
import * as model from "#chain/model.ts";
import { PLAN_INTENTS, STEP_PLACES } from "#chain/plan/model.ts";
import { bytes, isoTime, uuid, vmId } from "./common.ts";
import { bundleSchema } from "./engine-bundle.ts";
import { cursor, limit, page } from "./paging.ts";

const JOB_STATES = ["queued", "running", "succeeded", "failed", "cancelled", "lost"] as const;
const JOB_STEP_STATES = ["queued", "running", "succeeded", "failed", "skipped"] as const;
const jobRowSchema = z.object({
  id: uuid,
  planId: uuid.nullable(),
  groupId: uuid.nullable(),
  vmId,
  vmName: z.string(),
  kind: z.enum(PLAN_INTENTS),
  state: z.enum(JOB_STATES),
  /** Who applied the plan; "driftline" when policy did. */
  actor: z.string(),
  reason: z.string().nullable(),
  createdAt: isoTime,
  startedAt: isoTime.nullable(),
  endedAt: isoTime.nullable(),
  stepsDone: z.int(),
  stepsTotal: z.int(),
  progress: z.object({ doneBytes: bytes, totalBytes: bytes.nullable() }).nullable(),
  /** Since when the host has not answered a job that is still running; null while it answers. */
  lostContactSince: isoTime.nullable(),
  cancelRequestedAt: isoTime.nullable(),
  error: z.string().nullable(),
});
export type JobRow = z.infer<typeof jobRowSchema>;

export const jobSchema = jobRowSchema.extend({
  steps: z.array(
    z.object({
      n: z.int(),
      verb: z.string(),
      subject: z.string(),
      call: z.string(),
      place: z.enum(STEP_PLACES),
      state: z.enum(JOB_STEP_STATES),
      startedAt: isoTime.nullable(),
      endedAt: isoTime.nullable(),
      /** Our explanation. */
      error: z.string().nullable(),
      /** The host's own words. */
      hostMessage: z.string().nullable(),
      /** What came of it in words, for instance "already there" or "metadata only". */
      outcome: z.string().nullable(),
    }),
  ),
  /** Per disk while a backup runs or after it. */
  disks: z.array(
    z.object({
      target: z.string(),
      mode: z.enum(["full", "incremental"]),
      bytes: bytes.nullable(),
      path: z.string().nullable(),
    }),
  ),
  /** What was observed afterwards; null: not yet, or it could not be read (then `error` says so). */
  proof: z
    .object({
      observedAt: isoTime,
      digest: z.string(),
      agreement: z.enum(model.AGREEMENTS),
      /** Promised findings that are gone, and those that still stand. */
      gone: z.array(z.string()),
      left: z.array(z.string()),
      /** Findings that were not there before, and those of them that the plan had said would be there. */
      appeared: z.array(z.string()),
      foreseen: z.array(z.string()).default([]),
      /** In words, what the plan deletes on the host and the read still shows there: the job has failed then. */
      remains: z.array(z.string()).default([]),
    })
    .nullable(),
});
export type JobView = z.infer<typeof jobSchema>;

export const jobRoutes = {
  list: oc
    .route({ method: "GET", path: "/jobs", summary: "Jobs, newest first" })
    .input(
      z.strictObject({
        vmId: vmId.optional(),
        state: z.enum(JOB_STATES).optional(),
        /** Jobs of the parts of one plan over several VMs. */
        groupId: uuid.optional(),
        cursor,
        limit,
      }),
    )
    .output(page(jobRowSchema)),
  get: oc
    .route({ method: "GET", path: "/jobs/{jobId}", summary: "One job with its steps, progress and proof" })
    .input(z.strictObject({ jobId: uuid }))
    .output(jobSchema),
  bundle: oc
    .route({ method: "GET", path: "/jobs/{jobId}/bundle", summary: "Support bundle of one job" })
    .input(z.strictObject({ jobId: uuid }))
    .output(bundleSchema),
  cancel: oc
    .route({
      method: "POST",
      path: "/jobs/{jobId}/cancel",
      summary: "Stop after the running step; a backup is aborted",
    })
    .input(z.strictObject({ jobId: uuid }))
    .output(jobSchema),
};
