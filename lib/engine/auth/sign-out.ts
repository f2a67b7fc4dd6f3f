import { endSessions, inTransaction, writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import type { Engine } from "../state.ts";
import { authenticate } from "./authenticate.ts";

/** Ends the session of this browser, with its audit row; the cookies are taken back by better-auth, which set them. */
export async function signOut(engine: Engine, request: Request, traceId: string): Promise<Response> {
  const headers = new Headers({ cookie: request.headers.get("cookie") ?? "" });
  const who = await authenticate(engine, headers);
  const { userId, sessionId } = who?.actor ?? {};
  if (who && userId !== undefined && sessionId !== undefined) {
    await inTransaction(engine.db, async (tx) => {
      if ((await endSessions(tx, userId, { id: sessionId })) === 0) return;
      const { actor } = who;
      await writeAudit(tx, {
        actor: actorName(actor),
        role: actor.role,
        action: "auth.sign-out",
        subject: userId,
        outcome: "done",
        detail: null,
        traceId,
      });
    });
  }
  return engine.auth.handler(request);
}
