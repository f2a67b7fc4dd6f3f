"use client";
import {
  ChevronDown,
  CircleCheck,
  CircleDashed,
  CircleSlash,
  CircleX,
  LoaderCircle,
  ShieldCheck,
  ShieldX,
} from "lucide-react";
import Link from "next/link";
import { type ActorRole, canVerifyBackup } from "#chain/can.ts";
import { formatAge, formatBytes, formatExact } from "#client/format.ts";
import { whyNot } from "#client/situation.ts";
import { BACKUP_KIND_WORDS, BACKUP_STATE_WORDS } from "#client/work-words.ts";
import { TONE_TEXT } from "#components/patterns/axis-badge.tsx";
import { CopyText } from "#components/patterns/copy-text.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { cx } from "#components/ui/cx.ts";
import type { BackupView } from "#contract/engine-backups.ts";
import { VerifyRestore } from "./verify-restore.tsx";

const SHAPES: Record<BackupView["state"], typeof CircleX> = {
  running: LoaderCircle,
  finished: CircleCheck,
  failed: CircleX,
  aborted: CircleSlash,
};

/** One backup: its line, and opened its files and the proof that it can be restored. */
export function BackupCard(props: {
  backup: BackupView;
  vmName: string;
  role: ActorRole;
  isOpen: boolean;
  onToggle: () => void;
}) {
  const { backup, isOpen } = props;
  const { label, tone } = BACKUP_STATE_WORDS[backup.state];
  const Shape = SHAPES[backup.state];
  const body = `${backup.id}-body`;
  return (
    <li id={backup.id} data-backup={backup.id} className="scroll-mt-20">
      <h2>
        <button
          type="button"
          aria-expanded={isOpen}
          aria-controls={body}
          onClick={props.onToggle}
          className="grid w-full grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-0.5 px-4 py-2.5 text-left hover:bg-hover sm:grid-cols-[9.5rem_7rem_6rem_minmax(0,1fr)_auto]"
        >
          <Moment at={backup.startedAt} className="font-medium" />
          <span className={cx("inline-flex items-center gap-1.5 max-sm:order-last", TONE_TEXT[tone])}>
            <Shape size={15} aria-hidden className={backup.state === "running" ? "animate-turn" : undefined} /> {label}
          </span>
          <span className="max-sm:order-last max-sm:text-right">{BACKUP_KIND_WORDS[backup.kind]}</span>
          <span className="flex min-w-0 flex-wrap items-center gap-x-3 text-ink-2 max-sm:order-last max-sm:col-span-2">
            <span className="whitespace-nowrap">
              {backup.bytes === null ? "size not told" : formatBytes(backup.bytes)}
            </span>
            <Verified verified={backup.verified} isFinished={backup.state === "finished"} />
          </span>
          <ChevronDown
            size={15}
            aria-hidden
            className={cx("justify-self-end text-ink-3 transition-transform", isOpen && "rotate-180")}
          />
        </button>
      </h2>
      {isOpen && (
        <div id={body} className="space-y-3 border-t border-line bg-surface px-4 py-3">
          <p className="flex flex-wrap items-center gap-x-4 gap-y-1 text-ink-2">
            {backup.checkpointId && (
              <span>
                checkpoint{" "}
                <Link
                  href={`/vms/${backup.vmId}?cp=${encodeURIComponent(backup.checkpointId)}`}
                  className="font-mono text-xs break-all underline underline-offset-2"
                >
                  {backup.checkpointId}
                </Link>
              </span>
            )}
            <span>{formatExact(backup.startedAt)}</span>
            {backup.endedAt && <span>took {formatAge(Date.parse(backup.endedAt) - Date.parse(backup.startedAt))}</span>}
            {backup.jobId && (
              <Link href={`/jobs/${backup.jobId}`} className="underline underline-offset-2">
                its job
              </Link>
            )}
            <span className="sm:ml-auto">
              <CopyText
                size="sm"
                what="the backup"
                hash={backup.id}
                make={(texts, link) => texts.backupAsText(backup, props.vmName, link)}
              />
            </span>
          </p>
          {backup.error && <p className="text-bad">{backup.error}</p>}
          <Files disks={backup.disks} />
          <VerifyRestore
            backup={backup}
            noVerify={whyNot(canVerifyBackup({ role: props.role, isFinished: backup.state === "finished" }))}
          />
        </div>
      )}
    </li>
  );
}

function Verified({ verified, isFinished }: { verified: BackupView["verified"]; isFinished: boolean }) {
  if (!verified) {
    return isFinished ? (
      <span className="inline-flex items-center gap-1 text-xs text-ink-3">
        <CircleDashed size={13} aria-hidden /> never verified
      </span>
    ) : null;
  }
  const Shape = verified.ok ? ShieldCheck : ShieldX;
  return (
    <span className={cx("inline-flex items-center gap-1 text-xs", verified.ok ? "text-ok" : "text-bad")}>
      <Shape size={13} aria-hidden /> {verified.ok ? "restore proved" : "restore failed"} <Moment at={verified.at} />
    </span>
  );
}

function Files({ disks }: { disks: BackupView["disks"] }) {
  return (
    <ul aria-label="Files" className="space-y-2">
      {disks.map((disk) => (
        <li key={disk.target} className="rounded-md border border-line bg-bg px-3 py-2">
          <p className="flex flex-wrap items-baseline gap-x-3">
            <span className="font-mono font-medium">{disk.target}</span>
            <span>
              {disk.mode}
              {disk.base && (
                <>
                  {" "}
                  from <span className="font-mono text-xs break-all">{disk.base}</span>
                </>
              )}
            </span>
            <span className="ml-auto text-ink-2">
              {disk.bytes === null ? "size not told" : formatBytes(disk.bytes)}
            </span>
          </p>
          <dl className="mt-1 grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 font-mono text-xs leading-5 break-all">
            <dt className="font-sans text-ink-3">file</dt>
            <dd>{disk.path ?? "none"}</dd>
            {disk.backing && (
              <>
                <dt className="font-sans text-ink-3">on top of</dt>
                <dd>{disk.backing}</dd>
              </>
            )}
            <dt className="font-sans text-ink-3">SHA-256</dt>
            <dd>{disk.sha256 ?? "not recorded"}</dd>
          </dl>
        </li>
      ))}
    </ul>
  );
}
