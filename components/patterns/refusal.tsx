"use client";
import { CircleSlash } from "lucide-react";
import type { ReactNode } from "react";
import { toProblemView } from "#client/problem.ts";

/** Why something that was asked for did not happen, said where it was asked: every reason, the host's words, the trace. */
export function Refusal({ what, error, children }: { what: string; error: unknown; children?: ReactNode }) {
  const { detail, errors, hostMessage, code, traceId } = toProblemView(error);
  const others = errors.filter(({ reason }) => !detail.includes(reason));
  return (
    <div role="alert" className="flex gap-2.5 rounded-md border border-line bg-bad-bg px-3 py-2.5 text-ink">
      <CircleSlash size={16} aria-hidden className="mt-0.5 shrink-0 text-bad" />
      <div className="min-w-0 flex-1 space-y-1">
        <p>
          <span className="font-medium">{what}.</span> {detail}
        </p>
        {others.length > 0 && (
          <ul className="list-disc space-y-0.5 pl-4">
            {others.slice(0, 8).map(({ field, reason }) => (
              <li key={`${field}${reason}`}>{reason}</li>
            ))}
            {others.length > 8 && <li>and {others.length - 8} more</li>}
          </ul>
        )}
        {hostMessage && <p className="font-mono text-xs break-words">The host says: “{hostMessage}”</p>}
        <p className="font-mono text-xs break-all text-ink-2">
          {code}
          {traceId && ` · ${traceId}`}
        </p>
        {children}
      </div>
    </div>
  );
}
