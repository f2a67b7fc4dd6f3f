/** Offences of a list of definitions that a schema cannot see. The list comes parents first. */
import { orderCheckpoints } from "#chain/order.ts";
import type { RedefineInput } from "#contract/agent-operations.ts";
import { TEMPORARY_CHECKPOINT } from "./host-steps.ts";

export type Offence = { field: string; reason: string };
type Definitions = RedefineInput["checkpoints"];

/** Names and disks that come twice, parents that are unknown, stand later or lead in a circle, times before 1970. */
export function findOffences(checkpoints: Definitions): Offence[] {
  const offences: Offence[] = [];
  const first = new Map<string, number>();
  for (const [i, { id }] of checkpoints.entries()) if (!first.has(id)) first.set(id, i);
  const circles = circlesOf(checkpoints);
  for (const [i, { id, parentId, createdAt, disks }] of checkpoints.entries()) {
    const at = `checkpoints[${i}]`;
    const earlier = first.get(id);
    if (earlier !== i) offences.push({ field: `${at}.id`, reason: `'${id}' is checkpoints[${earlier}] already` });
    if (id === TEMPORARY_CHECKPOINT) offences.push({ field: `${at}.id`, reason: "this name is kept for the agent" });
    const parent = parentId === null ? -1 : first.get(parentId);
    if (parent === undefined) {
      offences.push({ field: `${at}.parentId`, reason: `'${parentId}' is not in this list` });
    } else if (circles.has(id)) {
      offences.push({ field: `${at}.parentId`, reason: `its ancestors lead back to '${id}'` });
    } else if (parent > i) {
      offences.push({ field: `${at}.parentId`, reason: `'${parentId}' stands later: parents come first` });
    }
    if (Date.parse(createdAt) < 0)
      offences.push({ field: `${at}.createdAt`, reason: "libvirt knows no time before 1970" });
    offences.push(...repeatedDisks(disks, at));
  }
  return offences;
}

function circlesOf(checkpoints: Definitions): Set<string> {
  const order = orderCheckpoints(checkpoints);
  if (order.ok) return new Set();
  return new Set(order.offences.flatMap((offence) => (offence.kind === "cycle" ? offence.ids : [])));
}

function repeatedDisks(disks: { target: string }[], at: string): Offence[] {
  const seen = new Set<string>();
  const offences: Offence[] = [];
  for (const [j, { target }] of disks.entries()) {
    if (seen.has(target)) offences.push({ field: `${at}.disks[${j}].target`, reason: `'${target}' comes twice` });
    seen.add(target);
  }
  return offences;
}

/** Disks that the domain does not have. */
export function findUnknownDisks(checkpoints: Definitions, attached: ReadonlySet<string>): Offence[] {
  return checkpoints.flatMap(({ disks }, i) =>
    disks.flatMap(({ target }, j) =>
      attached.has(target)
        ? []
        : [{ field: `checkpoints[${i}].disks[${j}].target`, reason: `this domain has no writable disk ${target}` }],
    ),
  );
}
