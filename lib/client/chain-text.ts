import { AGREEMENT_LABELS, FRESHNESS_LABELS, findingAsText, verdictLine } from "#chain/words.ts";
import type { Chain, ChainFinding } from "#contract/engine-vms.ts";
import { distrustOf } from "#graph/quarantine.ts";
import { formatBytes, toIsoUtc } from "./format.ts";
import { isPast } from "./words.ts";

/** What these texts say of the host is the last known, and nothing about now. */
const isLastKnown = ({ freshness, host }: Chain): boolean => isPast(freshness) || host.status !== "observed";

/** When it was read, and how far that can be relied on: a text outlives the page that it was copied from. */
function observedLine(chain: Chain): string {
  const at = chain.host.observedAt ? toIsoUtc(chain.host.observedAt) : "never";
  const now = isLastKnown(chain) ? "; whether it is still so cannot be told" : "";
  return `${at} (${FRESHNESS_LABELS[chain.freshness].label}${now})`;
}

/** A finding for a ticket or a call; the same finding always gives the same text. */
export function copyFinding(chain: Chain, finding: ChainFinding, url: string | null): string {
  const { observedAt } = finding.evidence;
  const evidence = { ...finding.evidence, observedAt: observedAt && toIsoUtc(observedAt) };
  return findingAsText(
    { ...finding, evidence },
    {
      vmName: chain.vm.name,
      vmId: chain.vm.id,
      hostName: chain.vm.hostName,
      observedAt: observedLine(chain),
      since: toIsoUtc(finding.since),
      url,
    },
  );
}

/** The whole VM: axes, next backup, findings. */
export function copyVm(chain: Chain, url: string): string {
  return [
    `VM:         ${chain.vm.name} (${chain.vm.id})`,
    `Host:       ${chain.vm.hostName ?? "none"}${chain.vm.simulated ? " (simulated)" : ""}`,
    `Power:      ${chain.vm.power}`,
    `Observed:   ${observedLine(chain)}`,
    ...(chain.host.error ? [`Last try:   ${chain.host.error.code}: ${chain.host.error.message}`] : []),
    `Agreement:  ${agreementWords(chain)}`,
    `Recorded:   ${chain.record.checkpoints.length} checkpoints, revision ${chain.record.revision}`,
    `On host:    ${chain.host.checkpoints ? `${chain.host.checkpoints.length} checkpoints` : "cannot tell"}`,
    "Next backup:",
    ...chain.nextBackup.map(
      (verdict) =>
        `  ${verdictWords(chain, verdict)}${verdict.isBaseBackedUp === false ? "; its backup is not here, one started here takes an older base or is full" : ""}`,
    ),
    `Link:       ${url}`,
    ...chain.findings.flatMap((finding) => ["", copyFinding(chain, finding, null)]),
  ].join("\n");
}

function agreementWords(chain: Chain): string {
  const { label } = AGREEMENT_LABELS[chain.agreement];
  if (!isLastKnown(chain)) return label;
  const { label: cannotTell } = AGREEMENT_LABELS.unknown;
  return chain.agreement === "unknown" ? cannotTell : `${cannotTell} (was ${label.toLowerCase()})`;
}

/** The past is no verdict; the engine sends it so itself, unless it is this page that was cut off. */
function verdictWords(chain: Chain, verdict: Chain["nextBackup"][number]): string {
  const was = isLastKnown(chain) && verdict.verdict !== "unknown" ? verdict.verdict : verdict.lastKnown;
  return was === null ? verdictLine(verdict) : `${verdict.disk}: cannot tell (was ${was})`;
}

/** One checkpoint as both witnesses tell it, or a bitmap that no checkpoint claims. */
export function copyCheckpoint(chain: Chain, id: string, url: string): string {
  const record = chain.record.checkpoints.find((checkpoint) => checkpoint.id === id);
  const host = chain.host.checkpoints?.find((checkpoint) => checkpoint.id === id);
  const distrusts = distrustOf(chain);
  const bitmaps = chain.host.disks.map((disk) => {
    if (!disk.bitmaps) return `  ${disk.target}: cannot tell (${disk.error?.code ?? "not read"})`;
    const bitmap = disk.bitmaps.find((candidate) => candidate.name === id);
    if (!bitmap) return `  ${disk.target}: no bitmap of this name`;
    const dirty = bitmap.dirtyBytes === null ? "dirty count not told" : `${formatBytes(bitmap.dirtyBytes)} dirty`;
    const isDistrusted = distrusts(id, disk.target, bitmap.state);
    return `  ${disk.target}: ${isDistrusted ? `not trusted, looks ${bitmap.state}` : bitmap.state}, ${dirty}`;
  });
  const createdAt = record?.createdAt ?? host?.createdAt;
  return [
    `${createdAt ? "Checkpoint: " : "Bitmap:     "}${id}`,
    `VM:         ${chain.vm.name} (${chain.vm.id})`,
    `Record:     ${record ? `${record.state}, ${record.origin}, parent ${record.parentId ?? "none"}, disks ${record.disks.join(", ")}` : "not recorded"}`,
    `libvirt:    ${
      host
        ? `parent ${host.parentId ?? "none"}, disks ${host.disks.map((disk) => disk.target).join(", ")}`
        : chain.host.checkpoints
          ? "not listed"
          : "cannot tell"
    }`,
    `Created:    ${createdAt ? toIsoUtc(createdAt) : "cannot tell; no checkpoint claims it"}`,
    `Observed:   ${observedLine(chain)}`,
    "Bitmaps:",
    ...bitmaps,
    `Link:       ${url}`,
  ].join("\n");
}
