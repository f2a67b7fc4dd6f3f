/** What a person does about a finding, through the API and with the requests that the pages make. */
import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import type { Remedy } from "#chain/model.ts";
import { planRequestOf } from "#client/remedies.ts";
import type { JobRow, JobView } from "#contract/engine-jobs.ts";
import type { PlanView } from "#contract/engine-plans.ts";
import type { Chain } from "#contract/engine-vms.ts";
import type { Engine } from "../state.ts";
import { type Answer, call, type KeyRole, until } from "./rig.ts";

export async function observe(engine: Engine, vmId: string): Promise<Chain> {
  const answer = await call(engine, "POST", `/vms/${vmId}/observe`);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body as Chain;
}

export async function makePlan(
  engine: Engine,
  vmId: string,
  body: object,
  role: KeyRole = "support",
): Promise<PlanView> {
  const answer = await call(engine, "POST", `/vms/${vmId}/plans`, { role, body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body as PlanView;
}

export const applyPlan = (
  engine: Engine,
  { id, losses, confirm }: PlanView,
  role: KeyRole = "operator",
): Promise<Answer> =>
  call(engine, "POST", `/plans/${id}/apply`, {
    role,
    body: { acknowledged: losses.map((loss) => loss.id), ...(confirm === null ? {} : { confirm }) },
    headers: { "idempotency-key": randomUUID() },
  });

export async function endOf(engine: Engine, jobId: string): Promise<JobView> {
  const ended = await until(
    () => call(engine, "GET", `/jobs/${jobId}`),
    ({ body }) => !["queued", "running"].includes((body as JobView).state),
    60_000,
  );
  return ended.body as JobView;
}

/** Plans, applies, and waits for the end. */
async function runByApi(engine: Engine, vmId: string, body: object): Promise<JobView> {
  const applied = await applyPlan(engine, await makePlan(engine, vmId, body));
  expect(applied.status, JSON.stringify(applied.body)).toBe(202);
  return endOf(engine, (applied.body as JobRow).id);
}

/** Takes a remedy that the finding offers. */
export function takeRemedy(engine: Engine, vmId: string, finding: Chain["findings"][number], remedy: Remedy) {
  expect(finding.remedies).toContain(remedy);
  const request = planRequestOf(remedy, finding);
  if (request === null) throw new Error(`${remedy} is no plan`);
  return runByApi(engine, vmId, request);
}
