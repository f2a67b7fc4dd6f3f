/** Around every call, whether it came over HTTP or from a page on the server: role first, then scope, then parse, then the verb. */
import { writeAudit } from "#db/index.ts";
import { actorName, requireRole } from "./actor.ts";
import { hideHosts, hideHostsInProblem } from "./hide-hosts.ts";
import { log } from "./log.ts";
import { toProblem } from "./problems.ts";
import { assertInScope } from "./scope.ts";
import type { Context, Engine } from "./state.ts";

type Call = { path: readonly string[]; context: Context; input: unknown; next: () => Promise<unknown> };

/** Throws only `ProblemError`. */
export async function guard({ path, context, input, next }: Call): Promise<unknown> {
  const call = path.join(".");
  try {
    requireRole(context.actor, call);
    await assertInScope(context, call, input);
    return await hideHosts(context, await next());
  } catch (error) {
    const problem = await hideHostsInProblem(context, toProblem(error)).catch(toProblem);
    if (problem.code === "internal") log.error({ call, traceId: context.traceId, err: error }, "a call failed");
    if (problem.code === "forbidden") {
      await auditRefusal(context.engine, {
        actor: actorName(context.actor),
        role: context.actor.role,
        action: call,
        subject: problem.subject,
        detail: problem.message,
        code: problem.code,
        traceId: context.traceId,
      });
    }
    throw problem;
  }
}

const WINDOW_MS = 60_000;
/** Of one actor and one call in a window; who is refused elsewhere too is still seen there. */
const MOST_IN_WINDOW = 10;
let window = { startedAt: 0, left: 0, written: new Map<string, number>() };

/** Every refusal is audited; a flood of them is counted instead of written one by one. */
export async function auditRefusal(
  engine: Engine,
  entry: {
    actor: string;
    role: string | null;
    action: string;
    subject: string | null;
    detail: string;
    code: string;
    traceId: string;
  },
): Promise<void> {
  engine.metrics.refusals.inc({ code: entry.code });
  const { code: _code, ...row } = entry;
  const now = Date.now();
  const flood = now - window.startedAt > WINDOW_MS ? window.left : 0;
  if (now - window.startedAt > WINDOW_MS) window = { startedAt: now, left: 0, written: new Map() };
  const kind = `${entry.actor} ${entry.action}`;
  const written = window.written.get(kind) ?? 0;
  if (written >= MOST_IN_WINDOW) {
    window.left += 1;
    return;
  }
  window.written.set(kind, written + 1);
  try {
    await writeAudit(engine.db.orm, { ...row, outcome: "refused" });
    if (flood > 0) {
      const detail = `${flood} further refusals of ${row.actor} in a minute before were counted and not listed`;
      await writeAudit(engine.db.orm, {
        ...row,
        actor: "driftline",
        role: null,
        action: "audit.flood",
        subject: null,
        outcome: "refused",
        detail,
      });
    }
  } catch (error) {
    log.error({ err: error, ...row }, "a refusal could not be audited");
  }
}
