/** From three witnesses to findings, verdicts and one word: `lib/chain` decides, this only keeps what must not slip. */
import { agreementOf } from "#chain/axes.ts";
import { type BitmapViews, bitmapViews } from "#chain/bitmap-views.ts";
import { carryProofs, findDrift } from "#chain/findings/index.ts";
import type { Agreement, DiskVerdict, DriftInput, Finding, NextBackup } from "#chain/model.ts";
import { readCheckpoints, unreadOf } from "#chain/trust.ts";
import { nextBackup, summariseNextBackup } from "#chain/verdict.ts";

export type Judgement = {
  findings: Finding[];
  /** Ids of those that this observation does not show itself: they stand on an earlier one. */
  carried: ReadonlySet<string>;
  verdicts: DiskVerdict[];
  nextBackup: NextBackup;
  agreement: Agreement;
};

/**
 * Compares, and carries over from the findings that stood before what this observation cannot have settled.
 * `undone`: disks whose rewind is proven to be over (`findUndoneRewinds`).
 */
export function judge(
  input: DriftInput,
  stood: readonly Finding[],
  undone: ReadonlySet<string> = new Set(),
): Judgement {
  const { record, observation } = input;
  const before = stood.filter(({ kind, subject }) => kind !== "bitmap.rewound" || !undone.has(subject.disk ?? ""));
  const current = findDrift(input);
  const shown = new Set(current.map(({ id }) => id));
  const found = carryProofs({ previous: before, current, observation, record });
  const ids = new Set(found.map((finding) => finding.id));
  const seen = lookAt(input);
  const kept = before.filter(
    (finding) => !ids.has(finding.id) && (isUnread(input, seen, finding) || isStillRewound(seen, finding)),
  );
  const acknowledged = new Set(record.acknowledged);
  const findings = [...found, ...kept].map((finding) => ({ ...finding, acknowledged: acknowledged.has(finding.id) }));
  const { inFlight, activeElsewhere } = input;
  const verdicts = nextBackup({ record, observation, findings, inFlight });
  return {
    findings,
    carried: new Set(findings.flatMap(({ id }) => (shown.has(id) ? [] : [id]))),
    verdicts,
    nextBackup: summariseNextBackup(verdicts),
    agreement: agreementOf({ observation, findings, activeElsewhere }),
  };
}

/** What each finding is held against, looked up once: a long chain that was lost has a finding for every checkpoint. */
type Seen = {
  /** libvirt's list could not be read. */
  isListUnread: boolean;
  listed: ReadonlySet<string>;
  unreadDisks: ReadonlySet<string>;
  /** Targets that the record covers, by checkpoint. */
  covered: ReadonlyMap<string, ReadonlySet<string>>;
  views: BitmapViews;
};

function lookAt({ record, observation }: DriftInput): Seen {
  const { checkpoints } = observation;
  return {
    isListUnread: !readCheckpoints(observation).ok,
    listed: new Set(checkpoints.ok ? checkpoints.value.map(({ id }) => id) : []),
    unreadDisks: new Set(unreadOf(observation).flatMap(({ disk }) => disk ?? [])),
    covered: new Map(record.checkpoints.map(({ id, disks }) => [id, new Set(disks.map(({ target }) => target))])),
    views: bitmapViews(observation),
  };
}

/**
 * What could not be read cannot have healed: a finding stands, with its age, while what it was seen in is not read. On no
 * host nothing is drift.
 */
function isUnread({ observation, runningBackup }: DriftInput, seen: Seen, finding: Finding): boolean {
  const { kind, subject, reason } = finding;
  if (observation.power === "absent") return false;
  if (kind === "metadata.missing") {
    // Found only where a bitmap of it was seen to be healthy.
    if (seen.isListUnread || seen.unreadDisks.size === 0) return seen.isListUnread;
    const id = subject.checkpointId ?? "";
    return !seen.listed.has(id) && [...(seen.covered.get(id) ?? [])].some((target) => seen.unreadDisks.has(target));
  }
  if (kind.startsWith("metadata.")) return seen.isListUnread;
  if (kind === "backup.stuck") {
    const isClosed = reason === "no-such-job" && runningBackup === null;
    return !isClosed && (!observation.job.ok || observation.power === "unknown");
  }
  if (kind === "vm.two-hosts") return observation.power === "unknown";
  // Whether libvirt knows a checkpoint of that name is read from its list.
  if (kind === "bitmap.unknown" && seen.isListUnread) return true;
  return subject.disk !== null && seen.unreadDisks.has(subject.disk);
}

/**
 * A rewound bitmap that goes on recording passes its old count some day, and then its count looks right. The interval
 * stays lost all the same: the finding stands for as long as that bitmap does and the record counts on it.
 * See lib/decisions/a-rewind-stands.md.
 */
function isStillRewound({ covered, views }: Seen, finding: Finding): boolean {
  const { disk: target, checkpointId } = finding.subject;
  if (finding.kind !== "bitmap.rewound" || target === null || checkpointId === null) return false;
  if (!covered.get(checkpointId)?.has(target)) return false;
  return views(target)?.get(checkpointId)?.state === "recording";
}
