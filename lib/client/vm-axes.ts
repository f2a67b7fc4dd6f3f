import type { NextBackup } from "#chain/model.ts";
import { summariseNextBackup } from "#chain/next-backup.ts";
import type { Chain } from "#contract/engine-vms.ts";

/**
 * The next backup in one word, from the very verdicts that the page lists, so that both are of one read. `past`: what is
 * shown says nothing about now, and this is the last known.
 */
export function nextBackupOf({ nextBackup }: Pick<Chain, "nextBackup">, past: boolean): NextBackup {
  return summariseNextBackup(
    nextBackup.map(({ verdict, lastKnown }) => ({ verdict: past ? (lastKnown ?? verdict) : verdict })),
  );
}
