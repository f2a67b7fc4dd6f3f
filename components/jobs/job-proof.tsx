import Link from "next/link";
import { isOver } from "#client/job-states.ts";
import { AxisBadge } from "#components/patterns/axis-badge.tsx";
import { FindingIds } from "#components/patterns/finding-ids.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import type { JobView } from "#contract/engine-jobs.ts";

/** What was read from the host after the last step: what is gone as promised, what still stands, what is new. */
export function JobProof({ job }: { job: JobView }) {
  const { proof } = job;
  return (
    <section
      aria-labelledby="proof-title"
      data-proof={proof ? "read" : "none"}
      className="rounded-lg border border-line"
    >
      <h2 id="proof-title" className="border-b border-line px-4 py-2.5 font-semibold">
        Proof
      </h2>
      <div className="space-y-2.5 px-4 py-3">
        {proof === null ? (
          <p className={isOver(job.state) ? "hatched rounded-sm px-2 py-1" : "text-ink-2"}>
            {isOver(job.state)
              ? "The host was not read afterwards, so that nothing is proved. Observe the VM to see how it stands."
              : "After the last step the host is read again. What is found then stands here."}
          </p>
        ) : (
          <>
            <p className="flex flex-wrap items-center gap-x-2">
              <AxisBadge axis={{ axis: "agreement", value: proof.agreement }} />
              <span className="text-ink-2">
                read <Moment at={proof.observedAt} />
              </span>
            </p>
            <Findings
              title="Gone, as promised"
              ids={proof.gone}
              none={job.kind === "backup" ? null : "Nothing was promised to go."}
            />
            <Findings title="Still there" ids={proof.left} none={null} isBad />
            <Findings title="Not there before" ids={proof.appeared} none={null} isBad />
            <p className="font-mono text-xs break-all text-ink-3">digest {proof.digest.slice(0, 16)}</p>
          </>
        )}
        <Link href={`/vms/${job.vmId}`} className="inline-block py-0.5 underline underline-offset-2">
          {job.vmName} as it is now
        </Link>
      </div>
    </section>
  );
}

function Findings(props: { title: string; ids: string[]; none: string | null; isBad?: boolean }) {
  const { title, ids, none } = props;
  if (ids.length === 0) return none && <p className="text-ink-2">{none}</p>;
  return (
    <div>
      <h3 className={props.isBad ? "font-medium text-bad" : "font-medium text-ok"}>
        {title} <span className="font-normal text-ink-3">{ids.length}</span>
      </h3>
      <FindingIds ids={ids} />
    </div>
  );
}
