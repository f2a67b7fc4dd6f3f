"use client";
import { CircleQuestionMark, Database, OctagonX, Zap } from "lucide-react";
import type { DiskVerdict, VerdictWord } from "#chain/model.ts";
import { VERDICT_LABELS, verdictReasonWords } from "#chain/words.ts";
import { formatBytes } from "#client/format.ts";
import { VERDICT_TONES } from "#client/words.ts";
import { TONE_TEXT } from "#components/patterns/axis-badge.tsx";
import { Button } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";

const SHAPES: Record<VerdictWord, typeof Zap> = {
  incremental: Zap,
  full: Database,
  blocked: OctagonX,
  unknown: CircleQuestionMark,
};

/** What the next run costs on each disk: verdict, base, estimate, reason. `past`: computed from an old observation. */
export function NextBackupCard(props: {
  verdicts: (DiskVerdict & { lastKnown: VerdictWord | null })[];
  past: boolean;
  noBackup: string | null;
  noFullBackup: string | null;
}) {
  const { verdicts, past } = props;
  return (
    <section aria-labelledby="next-title" className="rounded-lg border border-line">
      <h2 id="next-title" className="border-b border-line px-4 py-2.5 font-semibold">
        Next backup
      </h2>
      {verdicts.length === 0 ? (
        <p className="hatched px-4 py-3">Cannot tell: no disk of this VM has been read yet.</p>
      ) : (
        <ul>
          {verdicts.map((verdict) => {
            const shown: VerdictWord = past ? "unknown" : verdict.verdict;
            const last = verdict.lastKnown ?? (past && verdict.verdict !== "unknown" ? verdict.verdict : null);
            const Shape = SHAPES[shown];
            return (
              <li
                key={verdict.disk}
                data-disk={verdict.disk}
                data-verdict={verdict.verdict}
                className={cx("border-b border-line px-4 py-2", shown === "unknown" && "hatched")}
              >
                <div className="flex flex-wrap items-center gap-x-3">
                  <span className="w-10 font-mono font-medium">{verdict.disk}</span>
                  <span className={cx("inline-flex items-center gap-1.5 font-medium", TONE_TEXT[VERDICT_TONES[shown]])}>
                    <Shape size={15} aria-hidden /> {VERDICT_LABELS[shown].label}
                  </span>
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
                        from <span className="font-mono">{verdict.from}</span>{" "}
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
      <div className="flex flex-wrap gap-2 px-4 py-3">
        <Button size="sm" unavailable={props.noBackup}>
          Back up now
        </Button>
        <Button size="sm" unavailable={props.noFullBackup}>
          Full backup now
        </Button>
        {props.noFullBackup && <p className="basis-full text-xs text-ink-3">{props.noFullBackup}</p>}
      </div>
    </section>
  );
}
