import type { Bundle } from "#contract/engine.ts";
import { listAudit } from "../audit/list-audit.ts";
import { listBackups } from "../backups/backups.ts";
import { BUNDLE_ROWS, draftBundle } from "../bundle/collect.ts";
import { getHost } from "../hosts/hosts.ts";
import { getPlan } from "../plans/get-plan.ts";
import { scopeOf } from "../scope.ts";
import type { Context } from "../state.ts";
import { getChain } from "../vms/get-chain.ts";
import { getVm } from "../vms/get-vm.ts";
import { listVmFindings } from "../vms/lists.ts";
import { getJob } from "./jobs.ts";

/** Everything that support needs about one job: what was planned, what became of it, how the VM stands now. */
export async function getJobBundle(context: Context, { jobId }: { jobId: string }): Promise<Bundle> {
  const job = await getJob(context, { jobId });
  const { vmId, planId } = job;
  const page = { vmId, limit: BUNDLE_ROWS };
  const { collect, miss, close } = draftBundle(context, `job ${jobId}`);
  await collect("job", async () => job);
  let hostId: string | null = null;
  if (planId === null) miss("plan", "this job has none");
  else
    await collect("plan", async () => {
      const plan = await getPlan(context, { planId });
      hostId = plan.basis.hostId;
      return plan;
    });
  const host = hostId;
  const scope = scopeOf(context);
  if (host === null) miss("host", "the plan, which names it, is not there");
  else if (scope && !scope.includes(host)) miss("host", "it is not among the hosts that this key may see");
  else await collect("host", () => getHost(context, { hostId: host }));
  await collect("vm", () => getVm(context, { vmId }));
  await collect("chain", () => getChain(context, { vmId }));
  await collect("findings", () => listVmFindings(context, page));
  await collect("backups", async () => {
    const { items, ...rest } = await listBackups(context, page);
    return { ...rest, items: items.filter((backup) => backup.jobId === jobId) };
  });
  await collect("audit", () => listAudit(context, { subject: vmId, jobId, limit: BUNDLE_ROWS }));
  return close();
}
