/** Plans and plan groups: values that are written once, and the state that they come to. */
import { and, asc, eq, inArray, sql } from "drizzle-orm";
import type { Plan } from "../chain/plan/model.ts";
import { iso, type Reader, type Tx } from "./client.ts";
import { hosts, jobs, type PlanChange, type PlanRefusalRow, planGroups, plans, vms } from "./schema/index.ts";

export type { PlanChange, PlanRefusalRow };
export type StoredPlan = NonNullable<Awaited<ReturnType<typeof getPlan>>>;

const COLUMNS = {
  plan: plans,
  vmName: vms.name,
  hostName: hosts.name,
  jobId: jobs.id,
};

const select = (db: Reader) =>
  db
    .select(COLUMNS)
    .from(plans)
    .innerJoin(vms, eq(vms.id, plans.vmId))
    .leftJoin(hosts, sql`${hosts.id} = (${plans.basis} ->> 'hostId')::uuid`)
    .leftJoin(jobs, eq(jobs.planId, plans.id));

type Row = Awaited<ReturnType<typeof select>>[number];

/** A plan that nobody applied in time is expired, whatever its row says. */
const toStored = ({ plan, vmName, hostName, jobId }: Row, now = new Date()) => ({
  ...plan,
  state: plan.state === "ready" && plan.expiresAt <= now ? ("expired" as const) : plan.state,
  createdAt: iso(plan.createdAt),
  expiresAt: iso(plan.expiresAt),
  vmName,
  hostName: hostName ?? plan.basis.hostId,
  jobId,
});

export async function getPlan(db: Reader, planId: string) {
  const [row] = await select(db).where(eq(plans.id, planId));
  return row ? toStored(row) : null;
}

/** Holds the plan's row until the transaction ends: of two who apply it at once the second waits for the first. */
export async function lockPlan(tx: Tx, planId: string): Promise<StoredPlan | null> {
  await tx.select({ id: plans.id }).from(plans).where(eq(plans.id, planId)).for("update");
  return getPlan(tx, planId);
}

export async function insertPlan(
  tx: Reader,
  plan: { vmId: string; groupId: string | null; body: Plan; createdBy: string; createdAt: Date; expiresAt: Date },
): Promise<string> {
  const { body, ...row } = plan;
  const { basis, tier } = body;
  const [made] = await tx
    .insert(plans)
    .values({ ...row, intent: body.request.intent, tier, basis, body, state: "ready" })
    .returning({ id: plans.id });
  if (!made) throw new Error("a plan was not stored");
  return made.id;
}

export async function markPlanApplied(tx: Tx, planId: string): Promise<void> {
  await tx.update(plans).set({ state: "applied" }).where(eq(plans.id, planId));
}

/** Only one that was ready: what was applied stays applied. */
export async function markPlanOutOfDate(tx: Reader, planId: string, changes: PlanChange[]): Promise<void> {
  await tx
    .update(plans)
    .set({ state: "out-of-date", changes })
    .where(and(eq(plans.id, planId), eq(plans.state, "ready")));
}

export async function insertPlanGroup(
  tx: Reader,
  group: { intent: Plan["request"]["intent"]; createdBy: string; createdAt: Date; expiresAt: Date },
): Promise<string> {
  const [made] = await tx.insert(planGroups).values(group).returning({ id: planGroups.id });
  if (!made) throw new Error("a plan group was not stored");
  return made.id;
}

export async function setGroupRefusals(
  tx: Reader,
  groupId: string,
  refused: { vmId: string; refusals: PlanRefusalRow[] }[],
): Promise<void> {
  await tx.update(planGroups).set({ refused }).where(eq(planGroups.id, groupId));
}

export async function getPlanGroup(db: Reader, groupId: string) {
  const [group] = await db.select().from(planGroups).where(eq(planGroups.id, groupId));
  if (!group) return null;
  const rows = await select(db).where(eq(plans.groupId, groupId)).orderBy(asc(vms.name), asc(plans.id));
  const refusedIds = group.refused.map((one) => one.vmId);
  const names = refusedIds.length
    ? await db.select({ id: vms.id, name: vms.name }).from(vms).where(inArray(vms.id, refusedIds))
    : [];
  const nameOf = new Map(names.map((row) => [row.id, row.name]));
  return {
    id: group.id,
    intent: group.intent,
    createdBy: group.createdBy,
    createdAt: iso(group.createdAt),
    expiresAt: iso(group.expiresAt),
    plans: rows.map((row) => toStored(row)),
    refused: group.refused.map((one) => ({ ...one, vmName: nameOf.get(one.vmId) ?? one.vmId })),
  };
}

/** The job that was made under a caller's key on this VM, with its plan; null: the key is new here. */
export async function findJobByKey(db: Reader, vmId: string, idempotencyKey: string) {
  const [row] = await db
    .select({ id: jobs.id, planId: jobs.planId })
    .from(jobs)
    .where(and(eq(jobs.vmId, vmId), eq(jobs.idempotencyKey, idempotencyKey)));
  return row ?? null;
}
