/** Offences of a list of definitions that a schema cannot see. The list comes parents first. */
import type { Observation } from "#chain/model.ts";
import { checkDefinition } from "#chain/names.ts";
import { orderCheckpoints } from "#chain/order.ts";
import type { RedefineInput } from "#contract/agent-operations.ts";
import type { Offence } from "#contract/offences.ts";

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
    for (const { field, reason } of checkDefinition({ id, createdAt }))
      offences.push({ field: `${at}.${field}`, reason });
    const parent = parentId === null ? -1 : first.get(parentId);
    if (parent === undefined) {
      offences.push({ field: `${at}.parentId`, reason: `'${parentId}' is not in this list` });
    } else if (circles.has(id)) {
      offences.push({ field: `${at}.parentId`, reason: `its ancestors lead back to '${id}'` });
    } else if (parent > i) {
      offences.push({ field: `${at}.parentId`, reason: `'${parentId}' stands later: parents come first` });
    }
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
export function findUnknownDisks(checkpoints: Definitions, { disks: found }: Pick<Observation, "disks">): Offence[] {
  const attached = new Set(found.map(({ target }) => target));
  return checkpoints.flatMap(({ disks }, i) =>
    disks.flatMap(({ target }, j) =>
      attached.has(target)
        ? []
        : [{ field: `checkpoints[${i}].disks[${j}].target`, reason: `this domain has no writable disk ${target}` }],
    ),
  );
}
