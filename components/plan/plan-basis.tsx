import Link from "next/link";
import { Moment } from "#components/patterns/moment.tsx";
import type { PlanView } from "#contract/engine.ts";

/** What the plan was computed from. When any of it changes, the plan is refused. */
export function PlanBasis({ plan }: { plan: PlanView }) {
  const { basis } = plan;
  return (
    <section aria-labelledby="basis-title" className="rounded-lg border border-line px-4 py-3">
      <h2 id="basis-title" className="font-semibold">
        What it stands on
      </h2>
      <dl className="mt-1.5 grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 gap-y-1">
        <Fact name="Host read">
          <Moment at={basis.observedAt} />
        </Fact>
        <Fact name="Host">
          <Link href={`/vms?host=${basis.hostId}`} className="inline-block underline underline-offset-2">
            {basis.hostName}
          </Link>
        </Fact>
        <Fact name="Record">revision {basis.recordRevision}</Fact>
        <Fact name="VM’s run">
          <span className="font-mono text-xs break-all">{basis.runtimeId ?? "not running"}</span>
        </Fact>
        <Fact name="Read’s digest">
          <span className="font-mono text-xs break-all">{basis.observationDigest.slice(0, 16)}</span>
        </Fact>
      </dl>
      <p className="mt-2 text-xs text-ink-3">If any of it has changed when the plan is applied, it is refused.</p>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt className="text-xs leading-5 text-ink-3">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}
