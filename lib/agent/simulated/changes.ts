/** Events that a simulated host emits, from two states that follow each other. */
import type { HostEvent } from "#contract/agent.ts";
import type { SimDomain } from "./state.ts";

type DomainEvent = Extract<HostEvent, { type: "domain" }>;
type Words = Pick<DomainEvent, "event" | "detail">;

const isOn = (domain: SimDomain): boolean => domain.power !== "shut-off";

const started = ({ cause }: SimDomain): Words =>
  cause === "migrated" ? { event: "migrated-in", detail: "migrated" } : { event: "started", detail: "booted" };
function stopped({ cause }: SimDomain): Words {
  if (cause === "migrated") return { event: "migrated-out", detail: "migrated" };
  if (cause === "crashed") return { event: "crashed", detail: "crashed" };
  return { event: "stopped", detail: "shutdown" };
}

function compare(before: SimDomain | undefined, after: SimDomain | undefined): Words[] {
  if (before === undefined && after === undefined) return [];
  if (before === undefined && after !== undefined) {
    const defined: Words[] = [{ event: "defined", detail: "added" }];
    return isOn(after) ? [...defined, started(after)] : defined;
  }
  if (after === undefined) return [{ event: "undefined", detail: "removed" }];
  if (before === undefined) return [];
  const words: Words[] = [];
  if (before.name !== after.name) words.push({ event: "renamed", detail: "renamed" });
  if (isOn(before) && (!isOn(after) || before.run !== after.run)) words.push(stopped(after));
  if (isOn(after) && (!isOn(before) || before.run !== after.run)) words.push(started(after));
  else if (before.power === "running" && after.power === "paused") words.push({ event: "suspended", detail: "paused" });
  else if (before.power === "paused" && after.power === "running") words.push({ event: "resumed", detail: "unpaused" });
  if (before.job !== null && after.job === null) words.push({ event: "job-ended", detail: null });
  return words;
}

/** In the order in which libvirt would send them for each domain. */
export function eventsBetween(
  before: ReadonlyMap<string, SimDomain>,
  after: ReadonlyMap<string, SimDomain>,
  at: string,
): HostEvent[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((vmId) => {
    const [old, now] = [before.get(vmId), after.get(vmId)];
    const name = now?.name ?? old?.name ?? "";
    return compare(old, now).map((words): HostEvent => ({ type: "domain", vmId, name, at, ...words }));
  });
}
