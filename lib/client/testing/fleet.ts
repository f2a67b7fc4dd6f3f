/** A row of the fleet on which all agrees, to start a test from. */
import type { VmRow } from "#contract/engine-vms.ts";

export function anyRow(patch: Partial<VmRow> = {}): VmRow {
  return {
    id: "0c6d8f5e-5f0a-4c86-8d3e-6a3c1f1d0a01",
    name: "mail-01",
    hostId: "1c6d8f5e-5f0a-4c86-8d3e-6a3c1f1d0a02",
    hostName: "host-a",
    simulated: false,
    power: "running",
    axes: { agreement: "agrees", nextBackup: "incremental", freshness: "fresh" },
    lastKnown: { agreement: "agrees", nextBackup: "incremental" },
    observedAt: "2026-03-04T05:06:07Z",
    error: null,
    kinds: [],
    checkpoints: 3,
    disks: 1,
    lastBackup: null,
    job: null,
    ...patch,
  };
}
