"use client";
import { CircleAlert, Copy, Lock, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { useCopy } from "#client/copy.ts";
import { problemText, toProblemView } from "#client/problem.ts";
import { Button } from "#components/ui/button.tsx";

/** Nothing to show, and why: `title` names the cause, `children` what to do about it. */
export function EmptyPanel(props: { icon?: ReactNode; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center gap-2 px-4 py-14 text-center">
      {props.icon && <div className="mb-1 text-ink-3">{props.icon}</div>}
      <h2 className="text-base font-semibold">{props.title}</h2>
      <div className="text-pretty text-ink-2">{props.children}</div>
      {props.action && <div className="mt-3 flex flex-wrap justify-center gap-2">{props.action}</div>}
    </div>
  );
}

/** A failure: what it means, its code and trace id to quote, the host's own words, retry where that can help. */
export function ErrorPanel({ error, onRetry, what }: { error: unknown; onRetry?: () => void; what: string }) {
  const copy = useCopy();
  const { title, detail, code, traceId, hostMessage, retryable } = toProblemView(error);
  const isRefused = code === "forbidden";
  return (
    <section role="alert" className="mx-auto my-8 w-full max-w-2xl rounded-lg border border-line bg-raised p-5">
      <div className="flex gap-3">
        {isRefused ? (
          <Lock size={18} aria-hidden className="mt-0.5 shrink-0 text-ink-2" />
        ) : (
          <CircleAlert size={18} aria-hidden className="mt-0.5 shrink-0 text-bad" />
        )}
        <div className="min-w-0 flex-1">
          <h2 className="text-base font-semibold">
            {isRefused ? "No access" : `${what}: ${title.charAt(0).toLowerCase()}${title.slice(1)}`}
          </h2>
          <p className="mt-1 text-ink-2">
            {detail}
            {isRefused && " An admin can give you that role, or somebody who has it can do this for you."}
          </p>
          {hostMessage && (
            <pre className="mt-3 overflow-x-auto rounded-md border border-line bg-surface p-2.5 font-mono text-xs whitespace-pre-wrap">
              {hostMessage}
            </pre>
          )}
          <dl className="mt-3 flex flex-wrap gap-x-5 gap-y-1 font-mono text-xs text-ink-2">
            <div className="flex gap-1.5">
              <dt className="text-ink-3">code</dt>
              <dd>{code}</dd>
            </div>
            <div className="flex min-w-0 gap-1.5">
              <dt className="text-ink-3">trace</dt>
              <dd className="break-all">{traceId ?? "none"}</dd>
            </div>
          </dl>
          <div className="mt-4 flex flex-wrap gap-2">
            {onRetry && (
              <Button
                look="primary"
                onClick={onRetry}
                unavailable={retryable ? null : "The same request would fail the same way."}
              >
                <RotateCw size={14} aria-hidden /> Try again
              </Button>
            )}
            <Button onClick={() => copy(problemText(what, error), "the error")}>
              <Copy size={14} aria-hidden /> Copy
            </Button>
          </div>
        </div>
      </div>
    </section>
  );
}

/** A line above content that is still shown although it is old, incomplete or made up. */
export function Notice({ icon, children, action }: { icon: ReactNode; children: ReactNode; action?: ReactNode }) {
  return (
    <div className="relative flex flex-wrap items-center gap-x-3 gap-y-1 overflow-hidden rounded-md border border-line bg-surface py-2 pr-3 pl-6">
      <span aria-hidden className="hatched absolute inset-y-0 left-0 w-3 border-r border-line" />
      <span className="shrink-0 text-ink-2">{icon}</span>
      <div className="min-w-0 flex-1 basis-64 text-ink sm:basis-48">{children}</div>
      {action}
    </div>
  );
}

/** Above content whose newest read failed, or that nothing has reached for a while (`error` null): it is the past. */
export function OldNotice({ error, onRetry }: { error: unknown; onRetry: () => unknown }) {
  return (
    <Notice
      icon={<RotateCw size={15} aria-hidden />}
      action={
        <Button size="sm" onClick={() => void onRetry()}>
          Try again
        </Button>
      }
    >
      What is shown is old:{" "}
      {error === null ? "nothing reaches this page at the moment. It goes on by itself." : toProblemView(error).detail}
    </Notice>
  );
}
