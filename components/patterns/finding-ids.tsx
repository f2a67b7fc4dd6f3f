import type { FindingKind } from "#chain/model.ts";
import { findingTitle } from "#chain/words.ts";

/** A finding's id in words: `kind|checkpoint|disk|bitmap`, absent parts empty. */
function titleOf(id: string): string {
  const [kind = "", checkpointId, disk, bitmap] = id.split("|");
  return findingTitle({
    kind: kind as FindingKind,
    subject: { checkpointId: checkpointId || null, disk: disk || null, bitmap: bitmap || null },
  });
}

const SHOWN = 12;

/** Findings that are known by their ids alone, in words; the first dozen of many. */
export function FindingIds({ ids }: { ids: readonly string[] }) {
  return (
    <ul className="space-y-0.5">
      {ids.slice(0, SHOWN).map((id) => (
        <li key={id} className="break-words">
          {titleOf(id)}
        </li>
      ))}
      {ids.length > SHOWN && <li className="text-ink-3">and {ids.length - SHOWN} more</li>}
    </ul>
  );
}
