/** Every refusal is audited; a flood of them is counted, and how many there were of whom is written when it is over. */
import { type AuditEntry, type Db, writeAudit } from "#db/index.ts";
import { log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export type Refusal = Omit<AuditEntry, "outcome"> & { detail: string; code: string };
export type Refusals = {
  note: (refusal: Refusal) => Promise<void>;
  /** Writes what was only counted. */
  flush: () => Promise<void>;
};

export const WINDOW_MS = 60_000;
/** Of one actor and one call in a window; who is refused elsewhere too is still seen there. */
export const MOST_IN_WINDOW = 10;

type Window = { written: Map<string, number>; counted: Map<string, number>; end: NodeJS.Timeout };

export function openRefusals(db: Db, metrics: Metrics, write: typeof writeAudit = writeAudit): Refusals {
  let window: Window | null = null;

  const audit = async (entry: AuditEntry) => {
    try {
      await write(db.orm, entry);
    } catch (error) {
      log.error({ err: error, ...entry }, "a refusal could not be audited");
    }
  };

  async function flush(): Promise<void> {
    if (!window) return;
    const { counted, end } = window;
    window = null;
    clearTimeout(end);
    for (const [actor, n] of counted) {
      await audit({
        actor: "driftline",
        role: null,
        action: "audit.flood",
        subject: null,
        outcome: "refused",
        detail: `${n} further refusals of ${actor} within a minute were counted and not listed`,
        traceId: null,
      });
    }
  }

  async function note({ code, ...entry }: Refusal): Promise<void> {
    metrics.refusals.inc({ code });
    window ??= { written: new Map(), counted: new Map(), end: setTimeout(() => void flush(), WINDOW_MS).unref() };
    const { written, counted } = window;
    const kind = JSON.stringify([entry.actor, entry.action]);
    const sofar = written.get(kind) ?? 0;
    if (sofar >= MOST_IN_WINDOW) {
      counted.set(entry.actor, (counted.get(entry.actor) ?? 0) + 1);
      return;
    }
    written.set(kind, sofar + 1);
    await audit({ ...entry, outcome: "refused" });
  }

  return { note, flush };
}
