"use client";
import Link from "next/link";
import type { VerdictWord } from "#chain/model.ts";
import type { BackupMode } from "#chain/plan/model.ts";
import { VERDICT_LABELS, verdictReasonWords } from "#chain/words.ts";
import { formatBytes } from "#client/format.ts";
import { Moment } from "#components/patterns/moment.tsx";
import { Refusal } from "#components/patterns/refusal.tsx";
import { VerdictMark } from "#components/patterns/verdict-mark.tsx";
import { Button } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";
import type { Chain, Vm } from "#contract/engine-vms.ts";

/** What the next run costs on each disk: verdict, base, estimate, reason. `past`: computed from an old observation. */
export function NextBackupCard(props: {
  verdicts: Chain["nextBackup"];
  past: boolean;
  vmId: string;
  /** The newest backup that finished, or null; undefined: not known yet; unread: not known any more. */
  lastBackup: Vm["lastBackup"] | "unread" | undefined;
  noBackup: string | null;
  noFullBackup: string | null;
  /** What is being started now. */
  starting: BackupMode | null;
  /** Why the last attempt to start one did not work, or null. */
  failure: unknown;
  onBackUp: (mode: BackupMode) => void;
}) {
  const { verdicts, past, starting } = props;
  return (
    <section aria-labelledby="next-title" className="rounded-lg border border-line">
      <div className="flex min-h-10 flex-wrap items-center gap-2 border-b border-line py-1.5 pr-2 pl-4">
        <h2 id="next-title" className="flex-1 font-semibold">
          Next backup
        </h2>
        <Button
          size="sm"
          unavailable={props.noBackup}
          disabled={starting !== null}
          data-hint="Each disk as its verdict allows"
          onClick={() => props.onBackUp("auto")}
        >
          {starting === "auto" ? "Starting…" : "Back up now"}
        </Button>
        <Button
          size="sm"
          unavailable={props.noFullBackup}
          disabled={starting !== null}
          data-hint="Every disk, whole"
          onClick={() => props.onBackUp("full")}
        >
          {starting === "full" ? "Starting…" : "Full backup now"}
        </Button>
        {(props.noBackup ?? props.noFullBackup) && (
          <p className="basis-full pb-1 text-xs text-ink-3">{props.noFullBackup ?? `Back up now: ${props.noBackup}`}</p>
        )}
        {props.failure !== null && (
          <div className="basis-full">
            <Refusal what="No backup was started" error={props.failure} />
          </div>
        )}
      </div>
      {verdicts.length === 0 ? (
        <p className="hatched border-b border-line px-4 py-3">Cannot tell: no disk of this VM has been read yet.</p>
      ) : (
        <ul>
          {verdicts.map((verdict) => {
            const shown: VerdictWord = past ? "unknown" : verdict.verdict;
            const last = verdict.lastKnown ?? (past && verdict.verdict !== "unknown" ? verdict.verdict : null);
            return (
              <li
                key={verdict.disk}
                data-disk={verdict.disk}
                data-verdict={verdict.verdict}
                className={cx("border-b border-line px-4 py-2", shown === "unknown" && "hatched")}
              >
                <div className="flex flex-wrap items-center gap-x-3">
                  <span className="w-10 font-mono font-medium">{verdict.disk}</span>
                  <VerdictMark verdict={shown} />
                  {last && <span className="text-xs text-ink-2">was {VERDICT_LABELS[last].label.toLowerCase()}</span>}
                  <span className="ml-auto text-right text-ink-2">
                    {verdict.estimatedBytes === null
                      ? (last ?? verdict.verdict) === "incremental"
                        ? "size not told"
                        : ""
                      : `about ${formatBytes(verdict.estimatedBytes)}`}
                  </span>
                </div>
                {(verdict.from || verdict.reason) && (
                  <p className="text-xs text-ink-2">
                    {verdict.from && (
                      <>
                        from <span className="font-mono">{verdict.from}</span>
                        {verdict.isBaseBackedUp === false &&
                          ", whose backup is not here: one started here takes an older base or is full"}{" "}
                      </>
                    )}
                    {verdict.reason && verdictReasonWords(verdict.reason)}
                  </p>
                )}
              </li>
            );
          })}
        </ul>
      )}
      <p className="flex flex-wrap items-center gap-x-3 px-4 py-1.5 text-ink-2">
        <LastGood backup={props.lastBackup} />
        <Link
          href={`/vms/${props.vmId}/backups`}
          className="ml-auto inline-flex min-h-7 items-center underline underline-offset-2"
        >
          All backups
        </Link>
      </p>
    </section>
  );
}

function LastGood({ backup }: { backup: Vm["lastBackup"] | "unread" | undefined }) {
  if (backup === undefined) return null;
  if (backup === "unread") return <span className="hatched rounded-sm px-1">Last good one: cannot tell</span>;
  if (backup === null) return <span>None was made from here yet</span>;
  return (
    <span>
      Last good one: {backup.kind}
      {backup.bytes !== null && `, ${formatBytes(backup.bytes)}`}, <Moment at={backup.at} />
    </span>
  );
}
