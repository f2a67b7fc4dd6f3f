import Link from "next/link";
import { isOver } from "#client/job-states.ts";
import { findUnforeseen } from "#client/proof.ts";
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
              none={job.kind === "backup" ? null : "No finding was promised to go."}
            />
            <Findings title="Still there" ids={proof.left} none={null} tone="bad" />
            <Remains words={proof.remains} />
            <Findings title="New, and not foreseen by the plan" ids={findUnforeseen(proof)} none={null} tone="bad" />
            <Findings title="New, as the plan said" ids={proof.foreseen} none={null} tone="plain" />
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

const TONES = { ok: "font-medium text-ok", bad: "font-medium text-bad", plain: "font-medium" };

function Title({ words, count, tone }: { words: string; count: number; tone: keyof typeof TONES }) {
  return (
    <h3 className={TONES[tone]}>
      {words} <span className="font-normal text-ink-3">{count}</span>
    </h3>
  );
}

function Findings(props: { title: string; ids: string[]; none: string | null; tone?: keyof typeof TONES }) {
  const { title, ids, none, tone = "ok" } = props;
  if (ids.length === 0) return none && <p className="text-ink-2">{none}</p>;
  return (
    <div>
      <Title words={title} count={ids.length} tone={tone} />
      <FindingIds ids={ids} />
    </div>
  );
}

const SHOWN = 12;

function Remains({ words }: { words: string[] }) {
  if (words.length === 0) return null;
  return (
    <div>
      <Title words="Still on the host, and was to be deleted" count={words.length} tone="bad" />
      <ul className="space-y-0.5">
        {words.slice(0, SHOWN).map((one) => (
          <li key={one} className="break-words">
            {one}
          </li>
        ))}
        {words.length > SHOWN && <li className="text-ink-3">and {words.length - SHOWN} more</li>}
      </ul>
    </div>
  );
}
