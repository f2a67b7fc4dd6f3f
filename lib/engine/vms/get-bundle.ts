import type { Bundle } from "#contract/engine.ts";
import { listAudit } from "../audit/list-audit.ts";
import { listBackups } from "../backups/backups.ts";
import { BUNDLE_ROWS, draftBundle } from "../bundle/collect.ts";
import { getHost } from "../hosts/hosts.ts";
import { listJobs } from "../jobs/jobs.ts";
import type { Context } from "../state.ts";
import { getChain } from "./get-chain.ts";
import { getVm } from "./get-vm.ts";
import { listVmFindings, listVmSamples } from "./lists.ts";
import { requireVm } from "./lookup.ts";

/** Everything that support needs about one VM, with what is missing from it said. */
export async function getBundle(context: Context, { vmId }: { vmId: string }): Promise<Bundle> {
  const { hostId } = await requireVm(context, vmId);
  const page = { vmId, limit: BUNDLE_ROWS };
  const { parts, collect, miss, close } = draftBundle(context, `vm ${vmId}`);
  await collect("vm", () => getVm(context, { vmId }));
  await collect("chain", () => getChain(context, { vmId }));
  if (hostId) await collect("host", () => getHost(context, { hostId }));
  else miss("host", "no host has shown this VM yet");
  await collect("findings", () => listVmFindings(context, page));
  await collect("backups", () => listBackups(context, page));
  await collect("samples", () => listVmSamples(context, page));
  await collect("jobs", () => listJobs(context, page));
  await collect("audit", () => listAudit(context, { subject: vmId, limit: BUNDLE_ROWS }));
  const error = (parts.chain as { host?: { error?: { message: string } | null } } | undefined)?.host?.error;
  if (error) miss("the state on the host now", error.message);
  return close();
}
