/** What several verbs on one VM need first. */
import { ProblemError } from "#contract/problem.ts";
import { getFleetRow, getVm, listPresence } from "#db/index.ts";
import { chooseSpeaker } from "../observe/speaker.ts";
import { type Context, freshnessLimits } from "../state.ts";

export const noSuchVm = (vmId: string) => new ProblemError("not_found", `There is no VM ${vmId}.`, { subject: vmId });

export async function requireVm({ engine }: Context, vmId: string) {
  const vm = await getVm(engine.db.orm, vmId);
  if (!vm) throw noSuchVm(vmId);
  return vm;
}

/** The VM as the fleet list shows it: same words, same axes. */
export async function requireRow({ engine }: Context, vmId: string) {
  const row = await getFleetRow(engine.db.orm, vmId, freshnessLimits(engine.config));
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
