/**
 * Keys that may see only some hosts, in one place: what a call names is looked up before the verb runs, and what is
 * of another host is answered as if it were not there. Lists and counts are bounded in their queries (`scopeOf`).
 */
import { VM_ID } from "#chain/limits.ts";
import type { EngineEvent } from "#contract/engine.ts";
import { ProblemError } from "#contract/problem.ts";
import { areVmsIn, type VmReference, vmsOf } from "#db/index.ts";
import type { Actor } from "./actor.ts";
import { ROUTES } from "./http/routes.ts";
import type { Context, Engine } from "./state.ts";

export const scopeOf = ({ actor }: { actor: Actor }): readonly string[] | null => actor.scope ?? null;

/** Calls without an id in their address whose queries are bounded by the scope. */
const BOUNDED = new Set(["me", "vms.list", "hosts.list", "jobs.list", "audit.list", "planGroups.create", "events"]);
const NAMES = { vmId: "vm", planId: "plan", jobId: "job", backupId: "backup", groupId: "group" } as const;
const WORDS = { vm: "VM", plan: "plan", job: "job", backup: "backup", group: "plan group" } as const;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const IDS = new Set<string>([...Object.keys(NAMES), "hostId"]);

/** Calls that a key with a scope may make at all. A new call is none of them until it names what it is about. */
export const isBounded = (call: string): boolean =>
  BOUNDED.has(call) || ROUTES.some((route) => route.call === call && route.params.some((name) => IDS.has(name)));

/**
 * What a key may not see is not there for it; asking for it is a refusal all the same. An id that nobody has is one too:
 * the audit, which the key may read, must not tell the two apart.
 */
export class OutOfScope extends ProblemError {
  constructor(what: string, id: string) {
    super("not_found", `There is no ${what} ${id}.`, { subject: id });
  }
}

function referencesIn(input: Record<string, unknown>): VmReference[] {
  const found: VmReference[] = [];
  const add = (kind: VmReference["kind"], id: unknown) => {
    // Anything else is refused by the schema, which names it.
    if (typeof id === "string" && (kind === "vm" ? VM_ID : UUID).test(id)) found.push({ kind, id });
  };
  for (const [name, kind] of Object.entries(NAMES)) add(kind, input[name]);
  if (Array.isArray(input.vmIds)) for (const id of input.vmIds.slice(0, 1_000)) add("vm", id);
  return found;
}

/** @throws ProblemError not_found for what is of another host, forbidden for calls about the whole installation */
export async function assertInScope({ engine, actor }: Context, call: string, input: unknown): Promise<void> {
  const hosts = actor.scope;
  if (!hosts) return;
  if (!isBounded(call))
    throw new ProblemError(
      "forbidden",
      "This key is limited to some hosts; this call is about the whole installation.",
    );
  const fields = (typeof input === "object" && input !== null ? input : {}) as Record<string, unknown>;
  if (typeof fields.hostId === "string" && !hosts.includes(fields.hostId.toLowerCase()) && UUID.test(fields.hostId))
    throw new OutOfScope("host", fields.hostId);
  for (const reference of referencesIn(fields)) {
    const vmIds = await vmsOf(engine.db.orm, reference);
    if (!(await areVmsIn(engine.db.orm, vmIds, hosts))) throw new OutOfScope(WORDS[reference.kind], reference.id);
  }
}

/** Whether who listens may hear of this. */
export async function isVisible(engine: Engine, { scope }: Actor, event: EngineEvent): Promise<boolean> {
  if (!scope || event.type === "heartbeat") return true;
  if (event.type === "host") return scope.includes(event.hostId);
  return areVmsIn(engine.db.orm, [event.vmId], scope);
}
