import type { Chain } from "#contract/engine-vms.ts";
import { writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import { isAgentFailure } from "../agents/failure.ts";
import { log } from "../log.ts";
import { readHost } from "../observe/read.ts";
import { readVms } from "../observe/read-vms.ts";
import { scopeOf } from "../scope.ts";
import type { Context } from "../state.ts";
import { getChain } from "./get-chain.ts";
import { requireHost } from "./lookup.ts";

/**
 * Reads the VM now. A host that cannot be read is no error of this call: the answer is the chain as it was, with
 * the reason. A VM that no host has is looked for on all of them.
 */
export async function observeVm(context: Context, { vmId }: { vmId: string }): Promise<Chain> {
  const { engine, actor, traceId } = context;
  const { speaker, host } = await requireHost(context, vmId);
  const scope = scopeOf(context);
  const all = [...engine.hosts.values()].filter((one) => !scope || scope.includes(one.id));
  const hosts = host && speaker?.power !== "absent" ? [host] : all;
  await Promise.all(
    hosts.map(async (one) => {
      try {
        // That another host cannot be asked says nothing of this VM, which it may never have had.
        if (one.id === host?.id) await readVms(engine, one, [vmId]);
        else await readHost(engine, one, { vmIds: [vmId], force: true });
      } catch (error) {
        if (!isAgentFailure(error)) throw error;
        log.warn({ host: one.name, vmId, traceId, err: error }, "VM could not be observed");
      }
    }),
  );
  const chain = await getChain(context, { vmId });
  await writeAudit(engine.db.orm, {
    actor: actorName(actor),
    role: actor.role,
    action: "vms.observe",
    subject: vmId,
    outcome: chain.host.status === "failed" ? "failed" : "done",
    detail: chain.host.error?.message ?? null,
    traceId,
  });
  return chain;
}
