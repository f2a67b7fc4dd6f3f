/** Around every change of people: one at a time, its audit row in the same transaction, told to all open streams. */
import { type AuditEntry, inTransaction, lockPeople, notifyChange, type Tx, writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import type { Context } from "../state.ts";

type Entry = Pick<AuditEntry, "subject" | "detail">;

/** `work` answers with its result and what the audit says of it. */
export function changePeople<T>(
  { engine, actor, traceId }: Context,
  action: string,
  work: (tx: Tx) => Promise<{ result: T; audit: Entry }>,
): Promise<T> {
  return inTransaction(engine.db, async (tx) => {
    await lockPeople(tx);
    const { result, audit } = await work(tx);
    await writeAudit(tx, { actor: actorName(actor), role: actor.role, action, outcome: "done", traceId, ...audit });
    // Whoever listens is looked at again: the role, the session or the key may be gone.
    await notifyChange(tx, { type: "access" });
    return result;
  });
}
