import { AGREEMENT_LABELS, FRESHNESS_LABELS, findingAsText, verdictLine } from "#chain/words.ts";
import type { Chain, ChainFinding } from "#contract/engine-vms.ts";
import { formatBytes, toIsoUtc } from "./format.ts";

/** A finding for a ticket or a call; the same finding always gives the same text. */
export function copyFinding(chain: Chain, finding: ChainFinding, url: string | null): string {
  return findingAsText(finding, {
    vmName: chain.vm.name,
    vmId: chain.vm.id,
    hostName: chain.vm.hostName,
    observedAt: chain.host.observedAt && toIsoUtc(chain.host.observedAt),
    since: toIsoUtc(finding.since),
    url,
  });
}

/** The whole VM: axes, next backup, findings. */
export function copyVm(chain: Chain, url: string): string {
  return [
    `VM:         ${chain.vm.name} (${chain.vm.id})`,
    `Host:       ${chain.vm.hostName ?? "none"}${chain.vm.simulated ? " (simulated)" : ""}`,
    `Power:      ${chain.vm.power}`,
    `Observed:   ${chain.host.observedAt ? toIsoUtc(chain.host.observedAt) : "never"} (${FRESHNESS_LABELS[chain.freshness].label})`,
    ...(chain.host.error ? [`Last try:   ${chain.host.error.code}: ${chain.host.error.message}`] : []),
    `Agreement:  ${AGREEMENT_LABELS[chain.agreement].label}`,
    `Recorded:   ${chain.record.checkpoints.length} checkpoints, revision ${chain.record.revision}`,
    `On host:    ${chain.host.checkpoints ? `${chain.host.checkpoints.length} checkpoints` : "cannot tell"}`,
    "Next backup:",
    ...chain.nextBackup.map(
      (verdict) =>
        `  ${verdictLine(verdict)}${verdict.isBaseBackedUp === false ? "; its backup is not here, one started here is full" : ""}`,
    ),
    `Link:       ${url}`,
    ...chain.findings.flatMap((finding) => ["", copyFinding(chain, finding, null)]),
  ].join("\n");
}

/** One checkpoint as both witnesses tell it. */
export function copyCheckpoint(chain: Chain, id: string, url: string): string {
  const record = chain.record.checkpoints.find((checkpoint) => checkpoint.id === id);
  const host = chain.host.checkpoints?.find((checkpoint) => checkpoint.id === id);
  const bitmaps = chain.host.disks.map((disk) => {
    if (!disk.bitmaps) return `  ${disk.target}: cannot tell (${disk.error?.code ?? "not read"})`;
    const bitmap = disk.bitmaps.find((candidate) => candidate.name === id);
    if (!bitmap) return `  ${disk.target}: no bitmap of this name`;
    const dirty = bitmap.dirtyBytes === null ? "dirty count not told" : `${formatBytes(bitmap.dirtyBytes)} dirty`;
    return `  ${disk.target}: ${bitmap.state}, ${dirty}`;
  });
  return [
    `Checkpoint: ${id}`,
    `VM:         ${chain.vm.name} (${chain.vm.id})`,
    `Record:     ${record ? `${record.state}, ${record.origin}, parent ${record.parentId ?? "none"}, disks ${record.disks.join(", ")}` : "not recorded"}`,
    `libvirt:    ${
      host
        ? `parent ${host.parentId ?? "none"}, disks ${host.disks.map((disk) => disk.target).join(", ")}`
        : chain.host.checkpoints
          ? "not listed"
          : "cannot tell"
    }`,
    `Created:    ${toIsoUtc(record?.createdAt ?? host?.createdAt ?? chain.host.observedAt ?? new Date(0).toISOString())}`,
    "Bitmaps:",
    ...bitmaps,
    `Link:       ${url}`,
  ].join("\n");
}
