/** Which VMs belong to which hosts: for keys that may see only some. A VM belongs to the host that speaks for it. */
import { and, eq, inArray, sql } from "drizzle-orm";
import type { Reader } from "./client.ts";
import { jobs, planGroups, plans, vmBackups, vms } from "./schema/index.ts";

/** Host ids; null or absent: all. */
export type Scope = readonly string[] | null | undefined;

/** A condition over a column that holds a VM's id. */
export const vmIn = (column: unknown, scope: Scope) =>
  scope ? sql`${column} in (select v.id from ${vms} v where v.host_id = any(${idsOf(scope)}))` : undefined;

/** As one parameter; an empty list holds for nothing. */
export const idsOf = (scope: readonly string[]) => sql`${`{${scope.join(",")}}`}::uuid[]`;

/** What names a VM indirectly. */
export type VmReference = { kind: "vm" | "plan" | "job" | "backup" | "group"; id: string };

/** The VMs that something is about; none, when there is no such thing. */
export async function vmsOf(db: Reader, { kind, id }: VmReference): Promise<string[]> {
  switch (kind) {
    case "vm":
      return [id];
    case "plan":
      return (await db.select({ vmId: plans.vmId }).from(plans).where(eq(plans.id, id))).map((row) => row.vmId);
    case "job":
      return (await db.select({ vmId: jobs.vmId }).from(jobs).where(eq(jobs.id, id))).map((row) => row.vmId);
    case "backup":
      return (await db.select({ vmId: vmBackups.vmId }).from(vmBackups).where(eq(vmBackups.id, id))).map(
        (row) => row.vmId,
      );
    case "group": {
      const parts = await db.select({ vmId: plans.vmId }).from(plans).where(eq(plans.groupId, id));
      const [group] = await db.select({ refused: planGroups.refused }).from(planGroups).where(eq(planGroups.id, id));
      return [...parts.map((row) => row.vmId), ...(group?.refused ?? []).map((one) => one.vmId)];
    }
  }
}

/** Whether all of these VMs are there and belong to these hosts; false for none. */
export async function areVmsIn(db: Reader, vmIds: readonly string[], hosts: readonly string[]): Promise<boolean> {
  const wanted = [...new Set(vmIds)];
  if (wanted.length === 0 || hosts.length === 0) return false;
  const found = await db
    .select({ id: vms.id })
    .from(vms)
    .where(and(inArray(vms.id, wanted), inArray(vms.hostId, [...hosts])));
  return found.length === wanted.length;
}
