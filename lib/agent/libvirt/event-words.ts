/** libvirt's event numbers as the words of the API. */
import { BLOCK_JOB_OUTCOMES, BLOCK_JOB_TYPES, type HostEvent } from "#contract/agent.ts";

type DomainEvent = Extract<HostEvent, { type: "domain" }>;
export type RawEvent = Pick<DomainEvent, "event" | "detail" | "blockJob">;

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

/** The end of a block job; null while it only becomes ready. */
export function blockJobEvent(disk: string, type: number, status: number): RawEvent | null {
  const outcome = BLOCK_JOB_OUTCOMES[status];
  if (outcome === undefined) return null;
  const known = BLOCK_JOB_TYPES[type];
  const detail = `${known ?? type} ${disk} ${outcome}`;
  return { event: "block-job-ended", detail, blockJob: { disk, type: known ?? "unknown", outcome } };
}
