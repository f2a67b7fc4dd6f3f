/** Bitmaps that were made anew under their old name, as the findings tell. See lib/decisions/a-bitmap-made-anew.md. */
import type { Finding } from "../model.ts";

/** No operation of QEMU or libvirt changes a bitmap's granularity: whoever has another one than recorded is another bitmap. */
export const OF_ANOTHER_GRANULARITY = "from-record";

/** `checkpoint|disk` of each bitmap that lacks what was written before somebody made it anew. None of them may be a base. */
export function remadeBitmaps(findings: readonly Pick<Finding, "kind" | "reason" | "subject">[]): ReadonlySet<string> {
  const remade = findings.filter(
    ({ kind, reason }) => kind === "bitmap.granularity-differs" && reason === OF_ANOTHER_GRANULARITY,
  );
  return new Set(remade.map(({ subject }) => `${subject.checkpointId}|${subject.disk}`));
}
