import type { Chain } from "#contract/engine-vms.ts";

/**
 * What dirty bytes mean for the next backup. Only of the verdict's base do they say how large it gets: of a bitmap with a
 * gap, one that does not record, one that is not trusted or that nobody claims they say nothing of the kind.
 * `past`: the verdicts say nothing about now.
 */
export function baseWords(
  verdicts: Chain["nextBackup"],
  { disk, bitmap, dirty, past }: { disk: string; bitmap: string; dirty: string; past: boolean },
): string {
  const verdict = verdicts.find((candidate) => candidate.disk === disk);
  if (past || !verdict || verdict.verdict === "unknown") return "whether the next backup starts from it cannot be told";
  if (verdict.verdict !== "incremental" || verdict.from !== bitmap) return "the next backup does not start from it";
  return `next incremental about ${dirty}`;
}
