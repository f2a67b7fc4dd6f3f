/** A session for a person whom the identity provider has named: made and signed by better-auth like every other. */
import type { BetterAuthPlugin } from "better-auth";
import { createAuthEndpoint } from "better-auth/api";
import { setSessionCookie } from "better-auth/cookies";
import { z } from "zod";

export const sessionOpener = () =>
  ({
    id: "driftline-session-opener",
    endpoints: {
      // Not an address: only our own code calls it.
      openSession: createAuthEndpoint(
        "/driftline/open-session",
        { method: "POST", body: z.object({ userId: z.string() }), metadata: { SERVER_ONLY: true } },
        async (context) => {
          const user = await context.context.internalAdapter.findUserById(context.body.userId);
          const session = user && (await context.context.internalAdapter.createSession(user.id));
          if (!user || !session) throw context.error("UNAUTHORIZED");
          await setSessionCookie(context, { session, user });
          return context.json({ opened: true });
        },
      ),
    },
  }) satisfies BetterAuthPlugin;
