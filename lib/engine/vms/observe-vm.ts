import type { Chain } from "#contract/engine-vms.ts";
import { writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import { toObserveError } from "../agents/failure.ts";
import { log } from "../log.ts";
import { applyFailure } from "../observe/apply.ts";
import { readHost } from "../observe/read.ts";
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
        await readHost(engine, one, { vmIds: [vmId], force: true });
      } catch (error) {
        log.warn({ host: one.name, vmId, traceId, err: error }, "VM could not be observed");
        if (one.id !== host?.id) return;
        await applyFailure(engine, one.id, vmId, new Date().toISOString(), toObserveError(error, one.name));
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
