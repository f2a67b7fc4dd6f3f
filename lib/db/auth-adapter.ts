import { drizzleAdapter } from "better-auth/adapters/drizzle";
import type { Db } from "./client.ts";
import { authAccounts, authRateLimits, authSessions, authUsers, authVerifications } from "./schema/auth.ts";

/** Storage for better-auth on our own tables. */
export function authStorage(db: Db) {
  return drizzleAdapter(db.orm, {
    provider: "pg",
    schema: {
      user: authUsers,
      session: authSessions,
      account: authAccounts,
      verification: authVerifications,
      rateLimit: authRateLimits,
    },
  });
}
