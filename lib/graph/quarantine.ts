import type { GraphChain } from "./types.ts";

/** Disks that were rewound or replaced: no bitmap of theirs can be believed, however healthy it looks. */
export function quarantinedDisks(chain: GraphChain): ReadonlySet<string> {
  const targets = new Set<string>();
  for (const { kind, subject, acknowledged } of chain.findings) {
    if (subject.disk === null) continue;
    if (kind === "bitmap.rewound" || (kind === "disk.replaced" && !acknowledged)) targets.add(subject.disk);
  }
  return targets;
}
