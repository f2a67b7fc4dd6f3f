"use client";
import { CircleDashed, FileQuestion, Unplug } from "lucide-react";
import { HostError } from "#components/patterns/host-error.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { Notice } from "#components/patterns/state-panel.tsx";
import type { Chain } from "#contract/engine-vms.ts";

/** Why what is shown may not be true now, or not all of it: nothing here is ever left to be taken for "none". */
export function ObservationNotices({ chain }: { chain: Chain }) {
  const { host, freshness } = chain;
  const unread = host.disks.filter((disk) => disk.error !== null);
  return (
    <>
      {host.error ? (
        <Notice icon={<Unplug size={16} aria-hidden />}>
          <p className="font-medium">
            The last attempt
            {host.triedAt && (
              <>
                {" "}
                (<Moment at={host.triedAt} />)
              </>
            )}{" "}
            gave no answer.{" "}
            {host.observedAt ? (
              <>
                Shown is what was known <Moment at={host.observedAt} />.
              </>
            ) : (
              "Nothing was ever read: only the record is shown."
            )}
          </p>
          <HostError error={host.error} />
        </Notice>
      ) : host.status === "never" ? (
        <Notice icon={<CircleDashed size={16} aria-hidden />}>
          <p className="font-medium">The host was never read for this VM.</p>
          <p className="text-ink-2">Only the record is shown; whether the host agrees cannot be told.</p>
        </Notice>
      ) : (
        freshness === "stale" && (
          <Notice icon={<CircleDashed size={16} aria-hidden />}>
            <p className="font-medium">
              The last read is too old to rely on
              {host.observedAt && (
                <>
                  {" "}
                  (<Moment at={host.observedAt} />)
                </>
              )}
              .
            </p>
            <p className="text-ink-2">Hatched values are the last known ones. Observe now to read the host again.</p>
          </Notice>
        )
      )}
      {host.status !== "never" && host.checkpoints === null && (
        <Notice icon={<FileQuestion size={16} aria-hidden />}>
          libvirt’s list of checkpoints could not be read. That does not mean that there are none.
        </Notice>
      )}
      {unread.map((disk) => (
        <Notice key={disk.target} icon={<FileQuestion size={16} aria-hidden />}>
          <p className="font-medium">
            The bitmaps of <span className="font-mono">{disk.target}</span> could not be read.
          </p>
          {disk.error && <HostError error={disk.error} />}
        </Notice>
      ))}
    </>
  );
}
