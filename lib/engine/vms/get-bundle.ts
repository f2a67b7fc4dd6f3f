import type { Bundle } from "#contract/engine.ts";
import { actorName, hasRole } from "../actor.ts";
import { listAudit } from "../audit/list-audit.ts";
import { listBackups } from "../backups/backups.ts";
import { getHost } from "../hosts/hosts.ts";
import { listJobs } from "../jobs/jobs.ts";
import { toProblem } from "../problems.ts";
import type { Context } from "../state.ts";
import { VERSION } from "../version.ts";
import { getChain } from "./get-chain.ts";
import { getVm } from "./get-vm.ts";
import { listVmFindings, listVmSamples } from "./lists.ts";
import { requireVm } from "./lookup.ts";

const ROWS = 200;

const REDACTION = [
  {
    what: "agents' tokens, API keys, passwords, sessions",
    why: "they are secrets; the bundle is made of tables that hold none of them",
  },
  {
    what: "the names of people below operator, in the audit",
    why: "a bundle leaves the house; `person-1` is one person all through it",
  },
];

/** Everything that support needs about one VM, with what is missing from it said. */
export async function getBundle(context: Context, { vmId }: { vmId: string }): Promise<Bundle> {
  const { actor } = context;
  const vm = await requireVm(context, vmId);
  const page = { vmId, limit: ROWS };
  const parts: Record<string, unknown> = {};
  const manifest: Bundle["manifest"]["parts"] = [];
  const notCollected: Bundle["manifest"]["notCollected"] = [];
  const collect = async (name: string, read: () => Promise<unknown>) => {
    try {
      const value = await read();
      parts[name] = value;
      const list = (value as { items?: unknown[]; nextCursor?: string | null }) ?? {};
      const complete = (list.nextCursor ?? null) === null;
      manifest.push({ name, items: Array.isArray(list.items) ? list.items.length : 1, complete });
      if (!complete) notCollected.push({ what: `${name}: all but the newest ${ROWS}`, why: "the bundle is bounded" });
    } catch (error) {
      notCollected.push({ what: name, why: toProblem(error).message });
    }
  };
  await collect("vm", () => getVm(context, { vmId }));
  await collect("chain", () => getChain(context, { vmId }));
  if (vm.hostId) await collect("host", () => getHost(context, { hostId: vm.hostId ?? "" }));
  else notCollected.push({ what: "host", why: "no host has shown this VM yet" });
  await collect("findings", () => listVmFindings(context, page));
  await collect("backups", () => listBackups(context, page));
  await collect("samples", () => listVmSamples(context, page));
  await collect("jobs", () => listJobs(context, page));
  await collect("audit", () => listRedactedAudit(context, vmId));
  const error = (parts.chain as { host?: { error?: { message: string } | null } } | undefined)?.host?.error;
  if (error) notCollected.push({ what: "the state on the host now", why: error.message });
  notCollected.push({
    what: "logs of agent, libvirt and QEMU",
    why: "they stay on the host; this version does not fetch them",
  });
  return {
    manifest: {
      subject: `vm ${vmId}`,
      generatedAt: new Date().toISOString(),
      generatedBy: hasRole(actor, "operator") ? actorName(actor) : actor.role,
      version: VERSION,
      parts: manifest,
      redaction: REDACTION,
      notCollected,
    },
    parts,
  };
}

async function listRedactedAudit(context: Context, vmId: string) {
  const page = await listAudit(context, { subject: vmId, limit: ROWS });
  const names = new Map<string, string>();
  const redact = (actor: string, role: string | null) => {
    if (actor.startsWith("key:") || role === "operator" || role === "admin") return actor;
    const known = names.get(actor) ?? `person-${names.size + 1}`;
    names.set(actor, known);
    return known;
  };
  return { ...page, items: page.items.map((row) => ({ ...row, actor: redact(row.actor, row.role) })) };
}
