import type { Bundle } from "#contract/engine.ts";
import { listAudit } from "../audit/list-audit.ts";
import { BUNDLE_ROWS, draftBundle } from "../bundle/collect.ts";
import type { Context } from "../state.ts";
import { listVms } from "../vms/list-vms.ts";
import { getHost } from "./hosts.ts";

/** Everything that support needs about one host: what it can, when it last answered, and how its VMs stand, the worst first. */
export async function getHostBundle(context: Context, { hostId }: { hostId: string }): Promise<Bundle> {
  const host = await getHost(context, { hostId });
  const { collect, miss, close } = draftBundle(context, `host ${hostId}`);
  await collect("host", async () => host);
  await collect("vms", () => listVms(context, { host: hostId, sort: "severity", limit: BUNDLE_ROWS }));
  await collect("audit", () => listAudit(context, { subject: hostId, limit: BUNDLE_ROWS }));
  if (host.state === "offline") miss("the state on the host now", "its agent does not answer");
  return close();
}
