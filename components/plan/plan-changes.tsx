import type { PlanView } from "#contract/engine.ts";

/** What a plan stood on, and what is so now. */
export function PlanChanges({ changes }: Pick<PlanView, "changes">) {
  if (changes.length === 0) return null;
  return (
    <table className="mt-1.5 w-full text-left">
      <caption className="sr-only">What has changed</caption>
      <thead className="text-xs text-ink-3">
        <tr>
          <th scope="col" className="pr-3 font-medium">
            What
          </th>
          <th scope="col" className="pr-3 font-medium">
            When planned
          </th>
          <th scope="col" className="font-medium">
            Now
          </th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ what, was, is }) => (
          <tr key={what} className="align-top">
            <th scope="row" className="py-0.5 pr-3 font-medium first-letter:uppercase">
              {what}
            </th>
            <td className="py-0.5 pr-3 wrap-anywhere text-ink-2">{was}</td>
            <td className="py-0.5 wrap-anywhere">{is}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
