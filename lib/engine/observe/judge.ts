/** From three witnesses to findings, verdicts and one word: `lib/chain` decides, this only keeps what must not slip. */
import { agreementOf } from "#chain/axes.ts";
import { viewBitmaps } from "#chain/bitmaps.ts";
import { carryProofs, findDrift } from "#chain/findings/index.ts";
import type { Agreement, DiskVerdict, DriftInput, Finding, NextBackup } from "#chain/model.ts";
import { readLayers, unreadOf } from "#chain/trust.ts";
import { nextBackup, summariseNextBackup } from "#chain/verdict.ts";

export type Judgement = {
  findings: Finding[];
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
  const found = carryProofs({ previous: before, current: findDrift(input), observation, record });
  const ids = new Set(found.map((finding) => finding.id));
  const kept = before.filter(
    (finding) => !ids.has(finding.id) && (isUnread(input, finding) || isStillRewound(input, finding)),
  );
  const acknowledged = new Set(record.acknowledged);
  const findings = [...found, ...kept].map((finding) => ({ ...finding, acknowledged: acknowledged.has(finding.id) }));
  const { inFlight, activeElsewhere } = input;
  const verdicts = nextBackup({ record, observation, findings, inFlight });
  return {
    findings,
    verdicts,
    nextBackup: summariseNextBackup(verdicts),
    agreement: agreementOf({ observation, findings, activeElsewhere }),
  };
}

/** What could not be read cannot have healed: its findings stand, with their age. On no host nothing is drift. */
function isUnread(input: DriftInput, finding: Finding): boolean {
  if (input.observation.power === "absent") return false;
  return unreadOf(input.observation).some(({ disk }) =>
    disk === null ? finding.kind.startsWith("metadata.") : finding.subject.disk === disk,
  );
}

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
