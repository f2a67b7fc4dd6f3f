/** What the subjects of audit rows are called now. */
import { and, inArray } from "drizzle-orm";
import type { Reader } from "./client.ts";
import { apiKeys, authUsers, hosts, vms } from "./schema/index.ts";
import { type Scope, vmIn } from "./scope.ts";

export type SubjectName = { kind: "vm" | "host" | "user" | "key"; name: string };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * By the subject's id; what is gone, or was never an id, is not in it. Whoever is limited to some hosts learns the names of these
 * and their VMs alone.
 */
export async function readSubjectNames(
  db: Reader,
  subjects: readonly string[],
  scope: Scope,
): Promise<Map<string, SubjectName>> {
  const all = [...new Set(subjects)];
  const ids = all.filter((subject) => UUID.test(subject));
  const found = new Map<string, SubjectName>();
  const note = (kind: SubjectName["kind"], rows: { id: string; name: string }[]): void => {
    for (const { id, name } of rows) found.set(id, { kind, name });
  };
  if (ids.length > 0) {
    const ownHosts = scope ? ids.filter((id) => scope.includes(id)) : ids;
    const keys = db.select({ id: apiKeys.id, name: apiKeys.name }).from(apiKeys);
    if (!scope) note("key", await keys.where(inArray(apiKeys.id, ids)));
    if (ownHosts.length > 0) {
      note("host", await db.select({ id: hosts.id, name: hosts.name }).from(hosts).where(inArray(hosts.id, ownHosts)));
    }
    const ofVms = db.select({ id: vms.id, name: vms.name }).from(vms);
    note("vm", await ofVms.where(and(inArray(vms.id, ids), vmIn(vms.id, scope))));
  }
  if (all.length > 0 && !scope) {
    const users = db.select({ id: authUsers.id, name: authUsers.email }).from(authUsers);
    note("user", await users.where(inArray(authUsers.id, all)));
  }
  return found;
}
