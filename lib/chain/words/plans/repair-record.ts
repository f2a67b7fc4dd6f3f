/** What repairs of the record say. */
import { are, counted, nameList } from "./names.ts";

export function relinked(items: readonly { checkpointId: string; parentId: string | null }[]): string {
  const links = items.map(
    ({ checkpointId, parentId }) => `${checkpointId} ${parentId === null ? "becomes a root" : `under ${parentId}`}`,
  );
  return `Recorded links are repaired: ${nameList(links)}. The host is not changed.`;
}

export function retired(disks: readonly string[]): string {
  return `${nameList(disks)} ${are(disks.length)} no longer expected. Backups already made stay. Attached again, it is taken in full once and then expected again.`;
}

export function accepted(findings: number, disks: readonly string[]): string[] {
  return [
    ...disks.map((disk) => `The image that is behind ${disk} now counts as its image, with its bitmaps as they are.`),
    ...(findings > 0 ? [`${counted(findings, "finding")} ${are(findings)} accepted: listed still, but no alarm.`] : []),
  ];
}

export function statementLoss(disk: string): { id: string; text: string } {
  const text = `You state that the image behind ${disk} was moved on purpose with its bitmaps intact. If that is wrong, incremental backups of ${disk} will hold wrong data.`;
  return { id: `statement|${disk}`, text };
}

export function backupEnded(aborts: boolean, closes: boolean, id: string | null): string[] {
  const of = id === null ? "" : ` of checkpoint ${id}`;
  return [
    ...(aborts ? ["The job that holds the VM is aborted. What it has written so far is of no use."] : []),
    ...(closes
      ? [`The backup${of} is recorded as failed. What it made is no base and can be removed afterwards.`]
      : []),
  ];
}

export function jobLoss(id: string | null): { id: string; text: string } {
  return {
    id: "job",
    text: id === null ? "The running job and what it has done so far." : `The running backup of ${id}.`,
  };
}
