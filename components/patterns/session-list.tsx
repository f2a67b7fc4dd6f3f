"use client";
import { Moment } from "#components/patterns/moment.tsx";
import { Button } from "#components/ui/button.tsx";
import type { SessionView } from "#contract/engine.ts";

/** Open sessions: from where, with what, since when, last use; each can be ended. */
export function SessionList(props: {
  sessions: readonly SessionView[];
  onEnd: (session: SessionView) => void;
  isBusy: boolean;
}) {
  if (props.sessions.length === 0) return <p className="py-3 text-ink-2">No session is open.</p>;
  return (
    <ul className="divide-y divide-line rounded-lg border border-line">
      {props.sessions.map((session) => (
        <li key={session.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-3 py-2.5">
          <div className="min-w-0 flex-1 basis-56">
            <p className="font-medium">
              {deviceOf(session.userAgent)}
              {session.current && <span className="ml-2 font-normal text-ok">this session</span>}
            </p>
            <p className="text-ink-2">
              {session.address ? <span className="font-mono text-xs">{session.address}</span> : "address not known"} ·
              since <Moment at={session.since} /> · last used <Moment at={session.lastUsedAt} />
            </p>
          </div>
          <Button
            size="sm"
            onClick={() => props.onEnd(session)}
            disabled={props.isBusy}
            aria-label={`End the session of ${deviceOf(session.userAgent)}${session.address ? ` from ${session.address}` : ""}`}
          >
            End
          </Button>
        </li>
      ))}
    </ul>
  );
}

const BROWSERS: [RegExp, string][] = [
  [/Edg\//, "Edge"],
  [/Firefox\//, "Firefox"],
  [/Chrom(e|ium)\//, "Chromium"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux/, "Linux"],
];

/** `Firefox on Linux`; what is not known is shown as it was sent, cut short. */
function deviceOf(userAgent: string | null): string {
  if (!userAgent) return "Unknown device";
  const browser = BROWSERS.find(([pattern]) => pattern.test(userAgent))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(userAgent))?.[1];
  return browser ? `${browser}${system ? ` on ${system}` : ""}` : userAgent.slice(0, 60);
}
