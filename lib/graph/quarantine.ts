import { remadeBitmaps } from "#chain/findings/remade.ts";
import type { GraphFinding } from "./types.ts";

type Told = { findings: readonly GraphFinding[] };

/** Disks that were rewound or replaced: no bitmap of theirs can be believed, however healthy it looks. */
export function quarantinedDisks(chain: Told): ReadonlySet<string> {
  const targets = new Set<string>();
  for (const { kind, subject, acknowledged } of chain.findings) {
    if (subject.disk === null) continue;
    if (kind === "bitmap.rewound" || (kind === "disk.replaced" && !acknowledged)) targets.add(subject.disk);
  }
  return targets;
}

/** Does the bitmap look healthy although writes are missing from it? Its disk is quarantined, or it was made anew. */
export function distrustOf(chain: Told): (checkpointId: string, disk: string, state: string) => boolean {
  const disks = quarantinedDisks(chain);
  const remade = remadeBitmaps(chain.findings);
  return (checkpointId, disk, state) =>
    (state === "recording" || state === "busy") && (disks.has(disk) || remade.has(`${checkpointId}|${disk}`));
}
