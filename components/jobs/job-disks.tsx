import Link from "next/link";
import { formatBytes } from "#client/format.ts";
import { isOver } from "#client/job-states.ts";
import type { JobView } from "#contract/engine-jobs.ts";

/** What a backup has written, disk by disk. Nothing for other jobs. */
export function JobDisks({ job }: { job: JobView }) {
  if (job.disks.length === 0) return null;
  return (
    <section aria-labelledby="disks-title" className="rounded-lg border border-line">
      <h2 id="disks-title" className="border-b border-line px-4 py-2.5 font-semibold">
        Disks
      </h2>
      <ul className="divide-y divide-line">
        {job.disks.map((disk) => (
          <li key={disk.target} className="px-4 py-2">
            <p className="flex flex-wrap items-baseline gap-x-3">
              <span className="font-mono font-medium">{disk.target}</span>
              <span>{disk.mode}</span>
              <span className="ml-auto text-ink-2">{bytesWords(disk.bytes, isOver(job.state))}</span>
            </p>
            {disk.path && <p className="font-mono text-xs break-all text-ink-2">{disk.path}</p>}
          </li>
        ))}
      </ul>
      <p className="border-t border-line px-4 py-2">
        <Link href={`/vms/${job.vmId}/backups`} className="inline-block py-0.5 underline underline-offset-2">
          All backups of {job.vmName}
        </Link>
      </p>
    </section>
  );
}

function bytesWords(bytes: number | null, isEnded: boolean): string {
  if (bytes === null) return isEnded ? "not told" : "not told yet";
  return isEnded ? formatBytes(bytes) : `${formatBytes(bytes)} so far`;
}
