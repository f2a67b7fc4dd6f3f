import type { Vm } from "#contract/engine-vms.ts";
import { listDisks } from "#db/index.ts";
import type { Context } from "../state.ts";
import { toVmRow } from "./list-vms.ts";
import { requireRow, requireVm } from "./lookup.ts";

export async function getVm(context: Context, { vmId }: { vmId: string }): Promise<Vm> {
  const row = await requireRow(context, vmId);
  const vm = await requireVm(context, vmId);
  const disks = await listDisks(context.engine.db.orm, vmId);
  return {
    ...toVmRow(row),
    runtimeId: vm.runtimeId,
    firstSeenAt: vm.firstSeenAt,
    revision: vm.revision,
    diskList: disks.map(({ identityHostId: _host, moveProof: _move, ...disk }) => disk),
  };
}
