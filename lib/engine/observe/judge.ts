/** From three witnesses to findings, verdicts and one word: `lib/chain` decides, this only keeps what must not slip. */
import { agreementOf } from "#chain/axes.ts";
import { viewBitmaps } from "#chain/bitmaps.ts";
import { carryProofs, findDrift } from "#chain/findings/index.ts";
import type { Agreement, DiskVerdict, DriftInput, Finding, NextBackup, Observation } from "#chain/model.ts";
import { readCheckpoints, readLayers, unreadOf } from "#chain/trust.ts";
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
  const unread = unreadIn(observation);
  const kept = before.filter(
    (finding) => !ids.has(finding.id) && (isUnread(input, unread, finding) || isStillRewound(input, finding)),
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

/**
 * What could not be read cannot have healed: a finding stands, with its age, while what it was seen in is not read. On no
 * host nothing is drift.
 */
function isUnread({ record, observation, runningBackup }: DriftInput, unread: Unreadable, finding: Finding): boolean {
  const { kind, subject, reason } = finding;
  if (observation.power === "absent") return false;
  if (kind === "metadata.missing") {
    // Found only where a bitmap of it was seen to be healthy.
    if (unread.list || unread.disks.size === 0) return unread.list;
    const covered = record.checkpoints.find(({ id }) => id === subject.checkpointId)?.disks ?? [];
    const isListed =
      observation.checkpoints.ok && observation.checkpoints.value.some((c) => c.id === subject.checkpointId);
    return !isListed && covered.some(({ target }) => unread.disks.has(target));
  }
  if (kind.startsWith("metadata.")) return unread.list;
  if (kind === "backup.stuck") {
    const isClosed = reason === "no-such-job" && runningBackup === null;
    return !isClosed && (!observation.job.ok || observation.power === "unknown");
  }
  if (kind === "vm.two-hosts") return observation.power === "unknown";
  // Whether libvirt knows a checkpoint of that name is read from its list.
  if (kind === "bitmap.unknown" && unread.list) return true;
  return subject.disk !== null && unread.disks.has(subject.disk);
}

type Unreadable = { list: boolean; disks: ReadonlySet<string> };

const unreadIn = (observation: Observation): Unreadable => ({
  list: !readCheckpoints(observation).ok,
  disks: new Set(unreadOf(observation).flatMap(({ disk }) => disk ?? [])),
});

/**
 * A rewound bitmap that goes on recording passes its old count some day, and then its count looks right. The interval
 * stays lost all the same: the finding stands for as long as that bitmap does and the record counts on it.
 * See lib/decisions/a-rewind-stands.md.
 */
function isStillRewound({ observation, record }: DriftInput, finding: Finding): boolean {
  const { disk: target, checkpointId } = finding.subject;
  if (finding.kind !== "bitmap.rewound" || target === null || checkpointId === null) return false;
  const recorded = record.checkpoints.find((item) => item.id === checkpointId);
  if (!recorded?.disks.some((disk) => disk.target === target)) return false;
  const disk = observation.disks.find((item) => item.target === target);
  const layers = disk && readLayers(observation, disk);
  return layers?.ok === true && viewBitmaps(target, layers.value).get(checkpointId)?.state === "recording";
}
