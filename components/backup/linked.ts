import type { BackupView } from "#contract/engine-backups.ts";

/** The listed backups, and after them the one that a link names where the list does not reach back that far. */
export function withLinked<B extends Pick<BackupView, "id" | "vmId">>(
  vmId: string,
  listed: readonly B[],
  linked: B | undefined,
): B[] {
  const isOlder = linked?.vmId === vmId && !listed.some(({ id }) => id === linked.id);
  return isOlder ? [...listed, linked] : [...listed];
}
