import { drizzleAdapter } from "better-auth/adapters/drizzle";
import type { Db, Tx } from "./client.ts";
import { authAccounts, authRateLimits, authSessions, authUsers, authVerifications } from "./schema/auth.ts";

/**
 * Storage for better-auth on our own tables. `onSession` runs in the transaction that opens a session: what it throws
 * leaves none.
 */
export function authStorage(db: Db, onSession: (tx: Tx, userId: string) => Promise<void>) {
  const over = (orm: Parameters<typeof drizzleAdapter>[0]) =>
    drizzleAdapter(orm, {
      provider: "pg",
      schema: {
        user: authUsers,
        session: authSessions,
        account: authAccounts,
        verification: authVerifications,
        rateLimit: authRateLimits,
      },
    });
  return (options: Parameters<ReturnType<typeof over>>[0]): ReturnType<ReturnType<typeof over>> => {
    const storage = over(db.orm)(options);
    const create: typeof storage.create = (input) => {
      if (input.model !== "session") return storage.create(input);
      return db.orm.transaction(async (tx) => {
        const made = await over(tx)(options).create(input);
        await onSession(tx, String((input.data as { userId?: unknown }).userId));
        return made as never;
      });
    };
    return { ...storage, create };
  };
}
