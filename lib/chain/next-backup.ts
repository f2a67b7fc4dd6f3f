import type { DiskVerdict, NextBackup } from "./model.ts";

/** One word for the VM. A disk that is blocked blocks it; one that is unknown leaves it unknown. */
export function summariseNextBackup(verdicts: readonly Pick<DiskVerdict, "verdict">[]): NextBackup {
  const words = new Set(verdicts.map(({ verdict }) => verdict));
  if (words.size === 0) return "unknown";
  if (words.has("blocked")) return "blocked";
  if (words.has("unknown")) return "unknown";
  if (words.size > 1) return "mixed";
  return words.has("full") ? "full" : "incremental";
}
