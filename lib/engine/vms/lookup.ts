/** What several verbs on one VM need first. */
import { ProblemError } from "#contract/problem.ts";
import { getFleetRow, getVm, listPresence, type Reader } from "#db/index.ts";
import { chooseSpeaker } from "../observe/speaker.ts";
import { type Context, freshnessLimits } from "../state.ts";

export const noSuchVm = (vmId: string) => new ProblemError("not_found", `There is no VM ${vmId}.`, { subject: vmId });

/** `reader`: the transaction, where what is read must be of one moment. */
export async function requireVm({ engine }: Context, vmId: string, reader: Reader = engine.db.orm) {
  const vm = await getVm(reader, vmId);
  if (!vm) throw noSuchVm(vmId);
  return vm;
}

/** The VM as the fleet list shows it: same words, same axes. */
export async function requireRow({ engine }: Context, vmId: string, reader: Reader = engine.db.orm) {
  const row = await getFleetRow(reader, vmId, freshnessLimits(engine.config));
  if (!row) throw noSuchVm(vmId);
  return row;
}

/** The host that speaks for the VM, connected; else the reason why none can be asked. */
export async function requireHost(context: Context, vmId: string) {
  const vm = await requireVm(context, vmId);
  const presences = await listPresence(context.engine.db.orm, vmId);
  const speaker = chooseSpeaker(presences, vm.hostId);
  const host = speaker && context.engine.hosts.get(speaker.hostId);
  return { vm, speaker, host: host ?? null };
}
