/** The engine's answer for a running VM with one recorded checkpoint on which all agrees, to start a test from. */
import type { Chain, ChainFinding } from "#contract/engine-vms.ts";

const READ_AT = "2026-03-04T05:06:07Z";

export function anyChain(patch: Partial<Chain> = {}): Chain {
  return {
    vm: {
      id: "0c6d8f5e-5f0a-4c86-8d3e-6a3c1f1d0a01",
      name: "mail-01",
      hostId: "1c6d8f5e-5f0a-4c86-8d3e-6a3c1f1d0a02",
      hostName: "host-a",
      simulated: false,
      power: "running",
    },
    record: {
      revision: 3,
      checkpoints: [
        {
          id: "cp0",
          parentId: null,
          createdAt: "2026-03-01T00:00:00Z",
          state: "active",
          disks: ["vda"],
          origin: "driftline",
          backup: "finished",
        },
      ],
    },
    host: {
      status: "observed",
      observedAt: READ_AT,
      triedAt: READ_AT,
      source: "qmp",
      runtimeId: "2c6d8f5e-5f0a-4c86-8d3e-6a3c1f1d0a03",
      digest: "d1",
      checkpoints: [
        { id: "cp0", parentId: null, createdAt: "2026-03-01T00:00:00Z", disks: [{ target: "vda", bitmap: "cp0" }] },
      ],
      disks: [
        {
          target: "vda",
          source: "/images/vda.qcow2",
          format: "qcow2",
          virtualSize: 1024 ** 3,
          identity: null,
          bitmaps: [{ name: "cp0", state: "recording", dirtyBytes: 65_536, granularity: 65_536, layer: "top" }],
          error: null,
        },
      ],
      error: null,
    },
    findings: [],
    nextBackup: [
      {
        disk: "vda",
        verdict: "incremental",
        from: "cp0",
        estimatedBytes: 65_536,
        reason: null,
        lastKnown: null,
        isBaseBackedUp: true,
      },
    ],
    agreement: "agrees",
    freshness: "fresh",
    ...patch,
  };
}

export function anyFinding(patch: Partial<ChainFinding> = {}): ChainFinding {
  return {
    id: "bitmap.missing|vda|cp0",
    kind: "bitmap.missing",
    severity: "full",
    subject: { checkpointId: "cp0", disk: "vda", bitmap: "cp0" },
    reason: null,
    evidence: { record: null, metadata: null, bitmap: null, observedAt: READ_AT, source: "qmp" },
    explanation: "The bitmap is not there.",
    consequence: "The next backup of this disk is full.",
    remedies: [],
    owner: null,
    acknowledged: false,
    since: READ_AT,
    ...patch,
  };
}
