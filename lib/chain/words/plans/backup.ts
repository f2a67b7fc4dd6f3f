/** What a backup says. */
import { formatBytes } from "../bytes.ts";
import { nameList } from "./names.ts";

type BackupDisk = {
  target: string;
  mode: "full" | "incremental";
  base: string | null;
  inCheckpoint: boolean;
  why: string | null;
  estimatedBytes: number | null;
};

export function backedUp(
  id: string,
  disks: readonly BackupDisk[],
  skipped: readonly { disk: string; why: string }[],
  isReadBack: boolean,
): string[] {
  const lines = skipped.map(({ disk, why }) => `${disk} is NOT backed up: ${why}`);
  for (const disk of disks) lines.push(backupLine(disk));
  const covered = disks.filter(({ inCheckpoint }) => inCheckpoint).map(({ target }) => target);
  lines.push(
    covered.length > 0
      ? `Checkpoint ${id} is made for ${nameList(covered)}. It is a base only when the backup has finished.`
      : "No checkpoint is made: none of these images can hold a bitmap.",
  );
  if (isReadBack) lines.push(READ_BACK);
  return lines;
}

const READ_BACK =
  "What was written is read back: each image that a disk's file stands on is checked, and its content is restored to a temporary file in the repository. What cannot be read back is removed and is no backup.";

function backupLine({ target, mode, base, why, estimatedBytes }: BackupDisk): string {
  if (mode === "full") return why === null ? `${target}: full, as asked.` : `${target}: full. ${why}`;
  const size = estimatedBytes === null ? "size not known" : `about ${formatBytes(estimatedBytes)}`;
  return `${target}: incremental from ${base}, ${size}.`;
}

export function noRestorePoint(base: string | null): string {
  return `No finished backup of ${base ?? "the base"} is in a repository that an increment could be put on.`;
}
