/** Apart from the words of jobs: every screen needs these, and only some need those. */
import type { JobRow } from "#contract/engine-jobs.ts";

export const JOB_STATE_NAMES = ["queued", "running", "succeeded", "failed", "cancelled", "lost"] as const;

/** Nothing more happens to such a job. "lost" too: its host was silent for so long that it was given up. */
export const isOver = (state: JobRow["state"]): boolean => state !== "queued" && state !== "running";
