import type { Finding, FindingKind } from "../model.ts";

/** Same defect, same id, over time and hosts: `kind|checkpoint|disk|bitmap`, absent parts empty. */
export function findingId(
  kind: FindingKind,
  checkpointId: string | null,
  disk: string | null,
  bitmap: string | null,
): string {
  return [kind, part(checkpointId), part(disk), part(bitmap)].join("|");
}

/** A host lets any character into a bitmap's name, also the one that separates the parts. */
function part(text: string | null): string {
  return (text ?? "").replaceAll("%", "%25").replaceAll("|", "%7C");
}

/** What a finding is about, from its id alone. */
export function subjectOfId(id: string): Pick<Finding, "kind" | "subject"> {
  const [kind = "", checkpointId, disk, bitmap] = id.split("|");
  return {
    kind: kind as FindingKind,
    subject: { checkpointId: unpart(checkpointId), disk: unpart(disk), bitmap: unpart(bitmap) },
  };
}

function unpart(text: string | undefined): string | null {
  return text ? text.replaceAll("%7C", "|").replaceAll("%25", "%") : null;
}
