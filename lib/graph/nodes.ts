/** Record and host put together: one node for each checkpoint that either of them knows. */
import { SEVERITIES, type Severity } from "#chain/model.ts";
import { currentLine, orderCheckpoints } from "#chain/order.ts";
import { quarantinedDisks } from "./quarantine.ts";
import type { GraphChain, GraphFinding, GraphNode, Match } from "./types.ts";

/** Parents first, oldest first, branches where they were made. Linear after one sort. */
export function graphNodes(chain: GraphChain): GraphNode[] {
  const record = new Map(chain.record.checkpoints.map((item) => [item.id, item]));
  // Of a VM that the host does not know libvirt can list nothing, which is no difference.
  const unasked = chain.host.status === "never" || chain.vm.power === "absent";
  const host = unasked ? null : chain.host.checkpoints;
  const listed = host && new Map(host.map((item) => [item.id, item]));
  const findings = groupFindings(chain.findings);
  const unread = new Set(chain.host.disks.filter((disk) => disk.bitmaps === null).map((disk) => disk.target));
  const quarantined = quarantinedDisks(chain);
  const line = currentLine({ checkpoints: chain.record.checkpoints.map((item) => ({ ...item })) });
  const onLine = new Set(line.map(({ id }) => id));
  const newest = line.at(-1)?.id;

  const nodes: GraphNode[] = [];
  const add = (id: string): void => {
    const recorded = record.get(id) ?? null;
    const onHost = listed?.get(id) ?? null;
    const own = findings.get(id) ?? [];
    const disks = [
      ...new Set([...(recorded?.disks ?? []), ...(onHost?.disks ?? []).map(({ target }) => target)]),
    ].sort();
    const node: Omit<GraphNode, "match"> = {
      id,
      parentId: recorded ? recorded.parentId : (onHost?.parentId ?? null),
      createdAt: recorded?.createdAt ?? onHost?.createdAt ?? "",
      record: recorded && { state: recorded.state, backup: recorded.backup },
      listed: listed && onHost !== null,
      disks,
      findings: own,
      worst: worstOf(own),
      current: onLine.has(id),
      newest: id === newest,
    };
    nodes.push({ ...node, match: matchOf(node, unread, quarantined) });
  };
  for (const id of record.keys()) add(id);
  for (const id of listed?.keys() ?? []) if (!record.has(id)) add(id);
  return orderCheckpoints(nodes, { byAge: true }).ordered;
}

function matchOf(node: Omit<GraphNode, "match">, unread: ReadonlySet<string>, quarantined: ReadonlySet<string>): Match {
  if (!node.record) return "host-only";
  if (node.listed === null) return "unknown";
  if (!node.listed) return "record-only";
  // One finding speaks for the whole disk then, and for every checkpoint that covers it.
  if (node.worst !== null || node.disks.some((target) => quarantined.has(target))) return "differs";
  return node.disks.some((target) => unread.has(target)) ? "unknown" : "both";
}

function groupFindings(findings: readonly GraphFinding[]): Map<string, GraphFinding[]> {
  const groups = new Map<string, GraphFinding[]>();
  for (const finding of findings) {
    const id = finding.subject.checkpointId;
    if (id === null) continue;
    const group = groups.get(id);
    if (group) group.push(finding);
    else groups.set(id, [finding]);
  }
  return groups;
}

/** The worst severity among those that nobody accepted, or null. */
function worstOf(findings: readonly Pick<GraphFinding, "severity" | "acknowledged">[]): Severity | null {
  const open = new Set(findings.filter((finding) => !finding.acknowledged).map(({ severity }) => severity));
  return SEVERITIES.find((severity) => open.has(severity)) ?? null;
}
