import { subjectOfId } from "#chain/findings/id.ts";
import { findingTitle } from "#chain/words.ts";

const SHOWN = 12;

/** Findings that are known by their ids alone, in words; the first dozen of many. */
export function FindingIds({ ids }: { ids: readonly string[] }) {
  return (
    <ul className="space-y-0.5">
      {ids.slice(0, SHOWN).map((id) => (
        <li key={id} className="break-words">
          {findingTitle(subjectOfId(id))}
        </li>
      ))}
      {ids.length > SHOWN && <li className="text-ink-3">and {ids.length - SHOWN} more</li>}
    </ul>
  );
}
