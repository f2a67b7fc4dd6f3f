/**
 * What a finding means, for somebody who is woken by it: what is so, how it likely came, what it costs. No promise
 * that the evidence does not carry.
 */
import { assertNever } from "../assert-never.ts";
import type { FindingKind, FindingSubject } from "../model.ts";

/** Reason of `backup.stuck`: libvirt holds the VM for a backup job that it lost when it was killed. */
export const LOST_BY_LIBVIRT = "lost-by-libvirt";

/** Reason of `backup.stuck`: a job that is no backup holds the VM for longer than the limit. */
export const OTHER_JOB = "other-job";

export type FindingWords = { explanation: string; consequence: string };
export type WordsInput = {
  kind: FindingKind;
  subject: FindingSubject;
  reason: string | null;
  owner: string | null;
};

/** Short name of a kind, for chips, filters and headings. */
export const KIND_TITLES: Readonly<Record<FindingKind, string>> = {
  "metadata.missing": "libvirt does not list the checkpoint",
  "metadata.unknown": "Checkpoint that is not ours",
  "metadata.parent-differs": "Parent differs",
  "metadata.disks-differ": "Disks of the checkpoint differ",
  "metadata.bitmap-name-differs": "Bitmap name differs",
  "bitmap.missing": "Bitmap missing",
  "bitmap.inconsistent": "Bitmap inconsistent",
  "bitmap.not-recording": "Bitmap not recording",
  "bitmap.not-persistent": "Bitmap not persistent",
  "bitmap.gap": "Bitmap missing in an upper layer",
  "bitmap.unknown": "Bitmap that nobody claims",
  "bitmap.rewound": "Bitmap went backwards",
  "bitmap.granularity-differs": "Granularity differs",
  "disk.added": "Disk added",
  "disk.gone": "Disk gone",
  "disk.replaced": "Image replaced",
  "disk.unsupported": "Disk cannot hold bitmaps",
  "disk.unreadable": "Image cannot be opened",
  "checkpoint.unfinished": "Checkpoint unfinished",
  "record.missing-parent": "Recorded parent missing",
  "record.cycle": "Recorded links form a circle",
  "vm.two-hosts": "Active on two hosts",
  "backup.stuck": "Backup stuck",
};

/** One line that names the subject: the title, then checkpoint, disk and bitmap as far as they are named. */
export function findingTitle({ kind, subject }: Pick<WordsInput, "kind" | "subject">): string {
  const parts = [
    subject.checkpointId !== null ? `checkpoint ${subject.checkpointId}` : null,
    subject.disk !== null ? `disk ${subject.disk}` : null,
    subject.bitmap !== null && subject.bitmap !== subject.checkpointId ? `bitmap ${subject.bitmap}` : null,
  ].filter((part) => part !== null);
  return parts.length === 0 ? KIND_TITLES[kind] : `${KIND_TITLES[kind]}: ${parts.join(", ")}`;
}

export function findingWords(input: WordsInput): FindingWords {
  const cp = `"${input.subject.checkpointId ?? ""}"`;
  const disk = input.subject.disk ?? "the disk";
  const bitmap = `"${input.subject.bitmap ?? ""}"`;
  const owner = input.owner === null ? "Its owner is not known." : `By its name it probably belongs to ${input.owner}.`;
  const { kind, reason } = input;
  const words = (explanation: string, consequence: string): FindingWords => ({ explanation, consequence });
  const fullFor = `Checkpoint ${cp} cannot be the base of an incremental backup of ${disk}. The next backup uses another healthy base if there is one, else it is full for this disk.`;
  switch (kind) {
    case "metadata.missing":
      return words(
        `The record has checkpoint ${cp} and its bitmaps are on the disk, but libvirt does not list it. libvirt loses its list when a VM is migrated, renamed or undefined, and when a transient VM stops.`,
        "No incremental backup can start from it until it is redefined. Nothing is lost: the bitmaps still record.",
      );
    case "metadata.unknown":
      return words(
        `libvirt lists checkpoint ${cp}, the record does not. Another program or person made it. ${owner}`,
        "Our backups do not use it. It costs some space and write speed for as long as it stays. Remove it only when its owner no longer needs it.",
      );
    case "metadata.parent-differs":
      return words(
        `libvirt has another parent for checkpoint ${cp} than the record. A failed deletion moves children in libvirt even though nothing was deleted, and a checkpoint can be redefined by hand.`,
        "Bitmaps are complete without their parents, so that backups stay right. Order and history shown by libvirt are not.",
      );
    case "metadata.disks-differ":
      return words(
        reason === "diskless"
          ? `libvirt's definition of checkpoint ${cp} has no disks element. libvirt then validates it without looking at any bitmap.`
          : `libvirt's definition of checkpoint ${cp} covers other disks than the record.`,
        reason === "diskless"
          ? "libvirt would call it valid whatever the bitmaps are, and deleting it would leave its bitmaps behind. Redefine it with its disks before it is used."
          : "A backup from it could leave out a disk, and deleting it could leave bitmaps behind. Redefine it before it is used.",
      );
    case "metadata.bitmap-name-differs":
      return words(
        `libvirt's definition of checkpoint ${cp} names bitmap ${bitmap} on ${disk}. libvirt validates the bitmap that has the checkpoint's name, but deletes the one that the definition names.`,
        `A deletion would remove the wrong bitmap, and later backups of ${disk} could be incomplete without any error. Redefine it before it is used.`,
      );
    case "bitmap.missing":
      return words(
        reason === "never-flushed"
          ? `The bitmap of checkpoint ${cp} is not on ${disk}. It was made after QEMU last closed the image cleanly, then the QEMU process died: a bitmap is written to the image only at a clean close.`
          : `The bitmap of checkpoint ${cp} is not on ${disk}. Nothing points to a crash, so that it was probably removed, or an image without it was put in place.`,
        fullFor,
      );
    case "bitmap.inconsistent":
      return words(
        `The bitmap of checkpoint ${cp} on ${disk} was not closed cleanly${reason === "in-use" ? ": it is marked as in use, but no process has the image open" : ""}. The QEMU process was killed or the host failed while the VM ran.`,
        `QEMU no longer knows what changed since. ${fullFor}`,
      );
    case "bitmap.not-recording":
      return words(
        `The bitmap of checkpoint ${cp} exists on ${disk} but is switched off. Writes made meanwhile are not in it. Somebody disabled it from outside.`,
        `A backup from ${cp} could succeed and still lack changed data on ${disk}. It must not be a base again, not even when it is switched on.`,
      );
    case "bitmap.not-persistent":
      return words(
        `The bitmap of checkpoint ${cp} on ${disk} lives only in QEMU's memory. It was made without the persistent flag, not by a libvirt checkpoint.`,
        `It vanishes when the VM stops. ${fullFor}`,
      );
    case "bitmap.gap":
      return words(
        `The bitmap of checkpoint ${cp} is in a lower image of ${disk}, but not in every image above it. An external snapshot was taken without carrying the bitmap on.`,
        `Writes since that snapshot are not recorded. ${fullFor}`,
      );
    case "bitmap.unknown":
      return words(
        `Bitmap ${bitmap} is on ${disk}, but neither the record nor any libvirt checkpoint uses it. It was left by an unfinished deletion or by another program. ${owner}`,
        "It does no harm to backups, but takes space in the image and some speed from every write.",
      );
    case "bitmap.rewound":
      return words(
        `The dirty count of checkpoint ${cp} on ${disk} ${reason === "below-descendant" ? "is below that of a later checkpoint" : "is lower than it was"}. That cannot happen to an image that only moved forward: an older copy of the image was put back, or the bitmap was made anew. libvirt's own validation does not see this.`,
        `An incremental backup of ${disk} could succeed with wrong data in it. No checkpoint of this disk is used as a base; its next backup is full.`,
      );
    case "bitmap.granularity-differs":
      return reason === "between-layers"
        ? words(
            `The bitmap of checkpoint ${cp} on ${disk} counts in another block size in one image of the chain than in another.`,
            "Backups stay right. Sizes of increments may differ from what earlier ones suggest.",
          )
        : words(
            `The bitmap of checkpoint ${cp} on ${disk} counts in another block size than the one that was recorded. A bitmap never changes that by itself: somebody made it anew under its name, and what was written before is not in it. libvirt's own validation does not see this.`,
            `An incremental backup of ${disk} from ${cp} would succeed and lack those writes, so ${cp} is no base for ${disk} any more. An older base that is healthy is used instead, or the next backup is full.`,
          );
    case "disk.added":
      return words(
        `Disk ${disk} was attached after the newest checkpoint was made, so that no checkpoint covers it.`,
        `The next backup is full for ${disk} and stays incremental for the others. From then on it is covered.`,
      );
    case "disk.gone":
      return words(
        `The record has checkpoints for disk ${disk}, but the VM has no writable disk of that target any more. It was detached, made read-only, or got another target.`,
        "Backups of the other disks go on. Backups already made of it stay. Retire it when it will not come back.",
      );
    case "disk.replaced":
      return words(
        `The image behind ${disk} is not the one that the record knows (${reason ?? "identity"} differs), and nothing seen while the VM ran explains it. An image was restored, copied or exchanged from outside.`,
        `Bitmaps in this image need not belong to its data: an incremental backup of ${disk} could succeed with wrong data in it. Its whole chain is set aside; the next backup is full. If the move was made on purpose with bitmaps intact, acknowledge it.`,
      );
    case "disk.unsupported":
      return words(
        `Disk ${disk} is ${reason === "compat-0.10" ? "qcow2 with compat 0.10" : `in format ${reason ?? "unknown"}`}, which cannot hold persistent bitmaps.`,
        `Every backup of ${disk} is full. ${reason === "compat-0.10" ? "qemu-img amend -o compat=1.1 on the stopped VM changes that." : "Converting it to qcow2 changes that."}`,
      );
    case "disk.unreadable":
      return words(
        `QEMU cannot open the image of ${disk}. The host's own words stand in the evidence. A damaged header or bitmap directory is the usual cause.`,
        `No backup of ${disk} is possible, and the VM will probably not start from it.`,
      );
    case "checkpoint.unfinished":
      return words(
        unfinishedWords(cp, reason),
        "As a base it would lose the changes of an interval that was never saved. It is not used; remove it so that nobody else uses it.",
      );
    case "record.missing-parent":
      return words(
        `The record of checkpoint ${cp} names a parent that is not recorded. The database was changed or restored from outside.`,
        "The checkpoints cannot be put into an order that libvirt accepts. No backup starts until the links are repaired.",
      );
    case "record.cycle":
      return words(
        "Recorded checkpoints are each other's ancestors. The database was changed from outside.",
        "The checkpoints cannot be put into an order that libvirt accepts. No backup starts until the links are repaired.",
      );
    case "vm.two-hosts":
      return words(
        "The same VM is active on two hosts at once. A migration or a failover ended half-way, or the first host was wrongly taken for dead.",
        "If both write to the same image its data is being damaged now. Nothing is changed by us on either host. Find out which one is the real one and stop the other.",
      );
    case "backup.stuck":
      if (reason === LOST_BY_LIBVIRT)
        return words(
          "libvirt was killed as a backup of this VM began. It still holds the VM for that backup and knows nothing of it any more. Whatever QEMU wrote for it is no backup.",
          "No backup of this VM can begin, and nothing ends this but a restart: stop the VM, then restart libvirt on its host, then start the VM. In another order libvirt refuses to start it. Until then checkpoints can be redefined, healed and removed.",
        );
      if (reason === OTHER_JOB)
        return words(
          "A job of libvirt that is no backup, a migration or a snapshot for instance, has been holding this VM for longer than the limit.",
          "Until it ends no backup can begin and nothing of the VM is changed. Driftline ends backups only. Look what began the job; where nobody waits for it any more, end it on the host with virsh domjobabort.",
        );
      return words(
        reason === "no-such-job"
          ? "A backup is recorded as running, but libvirt has no job on this VM. The job ended, or its host or agent failed, before the end was recorded."
          : "A job has been holding this VM for longer than the limit.",
        reason === "no-such-job"
          ? "No new backup starts while this one counts as running. Close it; its checkpoint is then not used as a base."
          : "No other backup can start until it ends or is aborted.",
      );
    default:
      return assertNever(kind);
  }
}

function unfinishedWords(cp: string, reason: string | null): string {
  switch (reason) {
    case "backup-failed":
      return `Checkpoint ${cp} was made by a backup that failed. libvirt keeps the checkpoint of a failed backup.`;
    case "backup-aborted":
      return `Checkpoint ${cp} was made by a backup that was aborted. libvirt keeps the checkpoint of an aborted backup.`;
    case "deleting":
      return `The deletion of checkpoint ${cp} began and never ended, and no job works on it now.`;
    default:
      return `The making of checkpoint ${cp} began and never ended, and no job works on it now.`;
  }
}
