/** What the configuration says of hosts, keys and the first admin, made true in the database; twice is as once. */
import { hashPassword, verifyPassword } from "better-auth/crypto";
import {
  applyApiKeys,
  applyHosts,
  type Db,
  findCredential,
  inTransaction,
  lockConfiguration,
  saveAdmin,
  writeAudit,
} from "#db/index.ts";
import type { Config } from "../config.ts";

export async function applyConfig(db: Db, config: Config): Promise<string[]> {
  const admin = config.admin && (await adminChange(db, config.admin));
  return inTransaction(db, async (tx) => {
    await lockConfiguration(tx);
    const changes = [
      ...(await applyHosts(
        tx,
        config.hosts.map(({ name, url }) => ({ name, url })),
      )),
      ...(await applyApiKeys(tx, config.apiKeys)),
    ];
    if (admin) {
      await saveAdmin(tx, admin);
      changes.push(`admin ${admin.email} set`);
    }
    for (const change of changes) {
      await writeAudit(tx, {
        actor: "configuration",
        role: null,
        action: "config.apply",
        subject: null,
        outcome: "done",
        detail: change,
        traceId: null,
      });
    }
    return changes;
  });
}

/** What to store for the configured admin; null when it is so already. Hashing is slow, so it stays outside. */
async function adminChange(db: Db, admin: { email: string; password: string }) {
  const found = await findCredential(db.orm, admin.email);
  const same =
    found?.role === "admin" &&
    found.disabledAt === null &&
    found.hash !== null &&
    (await verifyPassword({ hash: found.hash, password: admin.password }));
  if (same) return null;
  return {
    email: admin.email,
    name: admin.email.split("@")[0] ?? admin.email,
    passwordHash: await hashPassword(admin.password),
  };
}
