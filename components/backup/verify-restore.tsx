"use client";
import { useQueryClient } from "@tanstack/react-query";
import { CircleCheck, CircleX, ShieldCheck } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useAnnounce } from "#client/announce.tsx";
import { useApi } from "#client/api.ts";
import { formatBytes, formatPercent, plural } from "#client/format.ts";
import { Moment } from "#components/patterns/moment.tsx";
import { Refusal } from "#components/patterns/refusal.tsx";
import { Button } from "#components/ui/button.tsx";
import type { VerifyItem } from "#contract/agent-operations.ts";
import type { BackupView } from "#contract/engine-backups.ts";

type DiskResult = Extract<VerifyItem, { type: "disk" }>;
type Progress = Extract<VerifyItem, { type: "progress" }>;
type Run = {
  state: "idle" | "running" | "ended";
  progress: Progress | null;
  disks: DiskResult[];
  result: { ok: boolean; detail: string; at: string } | null;
  error: unknown;
};
const IDLE: Run = { state: "idle", progress: null, disks: [], result: null, error: null };
const DOING = { check: "Checking the images of", restore: "Restoring", compare: "Comparing" } as const;
const COMPARED = {
  equal: "equal to the disk",
  differs: "differs from the disk",
  "not-comparable": "not compared with the disk",
} as const;

/** Restores the backup to a temporary file on the host and compares; shows how far it is and what came of it. */
export function VerifyRestore({ backup, noVerify }: { backup: BackupView; noVerify: string | null }) {
  const api = useApi();
  const announce = useAnnounce();
  const queryClient = useQueryClient();
  const [run, setRun] = useState<Run>(IDLE);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  const start = async () => {
    const ending = new AbortController();
    stop.current = ending;
    setRun({ ...IDLE, state: "running" });
    try {
      for await (const item of await api.backups.verify({ backupId: backup.id }, { signal: ending.signal })) {
        if (item.type === "progress") setRun((old) => ({ ...old, progress: item }));
        else if (item.type === "disk") setRun((old) => ({ ...old, disks: [...old.disks, item], progress: null }));
        else if (item.type === "result") {
          setRun((old) => ({ ...old, result: item }));
          announce(item.ok ? "The restore is proved." : "The restore failed.");
        }
      }
      setRun((old) => ({ ...old, state: "ended" }));
    } catch (error) {
      if (!ending.signal.aborted) setRun((old) => ({ ...old, state: "ended", error }));
    }
    void queryClient.invalidateQueries({ queryKey: ["vm", backup.vmId, "backup-history"] });
    void queryClient.invalidateQueries({ queryKey: ["vm", backup.vmId, "backup", backup.id] });
  };

  const { progress, disks, result } = run;
  const last = result ?? (run.state === "idle" ? backup.verified : null);
  return (
    <div className="space-y-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Button size="sm" unavailable={noVerify} disabled={run.state === "running"} onClick={() => void start()}>
          <ShieldCheck size={14} aria-hidden /> {run.state === "running" ? "Verifying…" : "Verify restore"}
        </Button>
        {run.state === "running" ? (
          <Button
            size="sm"
            look="quiet"
            onClick={() => {
              stop.current?.abort();
              setRun(IDLE);
            }}
          >
            Stop
          </Button>
        ) : (
          <span className="min-w-0 flex-1 basis-48 text-xs text-ink-3">
            {noVerify ??
              "Restores every disk to a temporary file on the host and compares it. Nothing else is touched."}
          </span>
        )}
      </div>
      {run.state === "running" && (
        <div data-verify="running">
          <progress
            className="h-2 w-full accent-[var(--ink)]"
            aria-label="Verification"
            {...(progress ? { value: progress.doneBytes, max: Math.max(1, progress.totalBytes) } : {})}
          />
          <p className="text-ink-2">
            {progress
              ? `${DOING[progress.what]} ${progress.target}: ${formatBytes(progress.doneBytes)} of ${formatBytes(progress.totalBytes)} (${formatPercent(progress.doneBytes, progress.totalBytes)})`
              : "Waiting for the host"}
          </p>
        </div>
      )}
      {disks.length > 0 && (
        <ul className="space-y-1">
          {disks.map((disk) => (
            <DiskLine key={disk.target} disk={disk} expected={backup.disks.find((d) => d.target === disk.target)} />
          ))}
        </ul>
      )}
      {last && (
        <p data-verify={last.ok ? "ok" : "failed"} className="flex gap-2">
          {last.ok ? (
            <CircleCheck size={16} aria-hidden className="mt-0.5 shrink-0 text-ok" />
          ) : (
            <CircleX size={16} aria-hidden className="mt-0.5 shrink-0 text-bad" />
          )}
          <span className="min-w-0 break-words">
            <span className="font-medium">{last.ok ? "Restore proved" : "Restore failed"}</span>{" "}
            <Moment at={last.at} className="text-ink-3" />. {last.detail}
          </span>
        </p>
      )}
      {run.state === "ended" && run.error === null && result === null && (
        <p className="hatched rounded-sm px-2 py-1">It ended without a result, so that nothing is proved.</p>
      )}
      {run.error !== null && <Refusal what="It could not be verified" error={run.error} />}
    </div>
  );
}

function DiskLine({ disk, expected }: { disk: DiskResult; expected: BackupView["disks"][number] | undefined }) {
  const broken = disk.images.filter((image) => !image.ok);
  const digest =
    disk.sha256 === null || !expected?.sha256
      ? null
      : disk.sha256 === expected.sha256
        ? "its digest is the recorded one"
        : "its digest is not the recorded one";
  return (
    <li className="text-ink-2">
      <span className="font-mono font-medium text-ink">{disk.target}</span>{" "}
      {[
        broken.length === 0
          ? `${plural(disk.images.length, "image")} sound`
          : `${broken.length} of ${plural(disk.images.length, "image")} damaged`,
        digest,
        disk.comparedWithDisk === "not-comparable" && disk.detail ? null : COMPARED[disk.comparedWithDisk],
      ]
        .filter((part) => part !== null)
        .join(", ")}
      {disk.comparedWithDisk !== "equal" && disk.detail && `. ${disk.detail}`}
      {disk.error && <span className="block text-bad">{disk.error.message}</span>}
      {broken.map((image) => (
        <span key={image.path} className="block font-mono text-xs break-all text-bad">
          {image.path}: {image.error ?? `${image.corruptions ?? "?"} corruptions`}
        </span>
      ))}
    </li>
  );
}
