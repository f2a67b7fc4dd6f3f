/** Around every change of people: one at a time, its audit row in the same transaction, told to all open streams. */
import { type AuditEntry, inTransaction, lockPeople, notifyChange, type Tx, writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import type { Context } from "../state.ts";

/** `isNothing`: what was asked for was so already. */
type Entry = Pick<AuditEntry, "subject" | "detail"> & { isNothing?: boolean };

/**
 * `work` answers with its result and what the audit says of it. What was so already is answered as if it were done, and
 * the audit says who asked and that nothing changed.
 */
export function changePeople<T>(
  { engine, actor, traceId }: Context,
  action: string,
  work: (tx: Tx) => Promise<{ result: T; audit: Entry }>,
): Promise<T> {
  return inTransaction(engine.db, async (tx) => {
    await lockPeople(tx);
    const { result, audit } = await work(tx);
    const { isNothing = false, ...entry } = audit;
    const outcome = isNothing ? "unchanged" : "done";
    await writeAudit(tx, { actor: actorName(actor), role: actor.role, action, outcome, traceId, ...entry });
    if (isNothing) return result;
    // Whoever listens is looked at again: the role, the session or the key may be gone.
    await notifyChange(tx, { type: "access" });
    return result;
  });
}
