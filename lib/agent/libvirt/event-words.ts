/** libvirt's event numbers as the words of the API. */
import type { HostEvent } from "#contract/agent.ts";

type DomainEvent = Extract<HostEvent, { type: "domain" }>;
export type RawEvent = Pick<DomainEvent, "event" | "detail">;

/** virDomainEventType with its details, in libvirt's order. */
const LIFECYCLE: [DomainEvent["event"], string[]][] = [
  ["defined", ["added", "updated", "renamed", "from-snapshot"]],
  ["undefined", ["removed", "renamed"]],
  ["started", ["booted", "migrated", "restored", "from-snapshot", "wakeup"]],
  [
    "suspended",
    [
      "paused",
      "migrated",
      "io-error",
      "watchdog",
      "restored",
      "from-snapshot",
      "api-error",
      "postcopy",
      "postcopy-failed",
    ],
  ],
  ["resumed", ["unpaused", "migrated", "from-snapshot", "postcopy"]],
  ["stopped", ["shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from-snapshot"]],
  // The guest has finished its shutdown; `stopped` follows.
  ["other", ["shutdown-finished", "shutdown-guest", "shutdown-host"]],
  ["suspended", ["pm-suspended", "pm-suspended-disk"]],
  ["crashed", ["panicked", "crashloaded"]],
];

/**
 * | type, detail | event |
 * |---|---|
 * | started, migrated | migrated-in |
 * | stopped, migrated | migrated-out |
 * | stopped, crashed | crashed |
 * | defined, renamed | renamed |
 */
export function lifecycleEvent(type: number, detail: number): RawEvent {
  const known = LIFECYCLE[type];
  if (known === undefined) return { event: "other", detail: `lifecycle ${type}.${detail}` };
  const word = known[1][detail] ?? `detail ${detail}`;
  let event = known[0];
  if (event === "started" && word === "migrated") event = "migrated-in";
  else if (event === "stopped" && word === "migrated") event = "migrated-out";
  else if (event === "stopped" && word === "crashed") event = "crashed";
  else if (event === "defined" && word === "renamed") event = "renamed";
  return { event, detail: word };
}

/** virDomainBlockJobType and virConnectDomainEventBlockJobStatus. */
const JOB_TYPE = ["unknown", "pull", "copy", "commit", "active-commit", "backup"];
const JOB_STATUS = ["completed", "failed", "canceled"];

/** The end of a block job; null while it only becomes ready. */
export function blockJobEvent(disk: string, type: number, status: number): RawEvent | null {
  const ended = JOB_STATUS[status];
  return ended === undefined
    ? null
    : { event: "block-job-ended", detail: `${JOB_TYPE[type] ?? type} ${disk} ${ended}` };
}
