import type { JobView } from "#contract/engine-jobs.ts";

/** The findings that a job's proof shows, that were not there before and that its plan did not foresee. */
export function findUnforeseen({ appeared, foreseen }: NonNullable<JobView["proof"]>): string[] {
  const expected = new Set(foreseen);
  return appeared.filter((id) => !expected.has(id));
}
