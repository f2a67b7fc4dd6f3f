/**
 * What `qemu-img` is asked for about the files of a backup, with its flags. In angle brackets stands what nobody knows
 * before: the agent makes each file through a handle of its own, and below a folder that is named when it begins.
 */
import type { PlanFacts } from "./facts.ts";
import type { Line } from "./steps.ts";

type BackupFile = { target: string; base: string | null };

const lineOf = (subject: string, call: string, { target }: BackupFile): Line => ({
  subject,
  call,
  reversible: true,
  checkpointIds: [],
  disks: [target],
});

/** An empty image for each disk. The backing image is not opened (`-u`): its path, relative to the file, is written down. */
export function backupFileLines({ disks }: PlanFacts, files: readonly BackupFile[]): Line[] {
  return files.map((file) => {
    const { target, base } = file;
    const backing = base === null ? "" : ` -u -b <the file of ${base}> -F qcow2`;
    const size = disks.get(target)?.observed.virtualSize ?? `<bytes of ${target}>`;
    return lineOf(
      `file for ${target}`,
      `qemu-img create -q -f qcow2${backing} -- <new file for ${target}> ${size}`,
      file,
    );
  });
}

/** Nothing is changed by it but a temporary file that comes and goes. */
export function readBackLines(files: readonly BackupFile[]): Line[] {
  return files.flatMap((file) => {
    const { target, base } = file;
    const chain = base === null ? `<new file for ${target}>` : `<new file for ${target}, then each that it stands on>`;
    const restore = `qemu-img convert -p -f qcow2 -O raw -- <new file for ${target}> <temporary file>`;
    return [
      {
        ...lineOf(`file for ${target}, checked`, `qemu-img check --output=json -f qcow2 -- ${chain}`, file),
        place: "read",
      },
      { ...lineOf(`file for ${target}, read back`, `${restore}; its SHA-256 is kept`, file), place: "read" },
    ] satisfies Line[];
  });
}
