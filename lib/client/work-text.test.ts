import { expect, test } from "vitest";
import type { Host, PlanView } from "#contract/engine.ts";
import type { BackupView } from "#contract/engine-backups.ts";
import type { JobView } from "#contract/engine-jobs.ts";
import { backupAsText, hostAsText, jobAsText, planAsText } from "./work-text.ts";

const URL = "https://console.example/x";
const VM = { vmId: "0c6d8f5e-5f0a-4c86-8d3e-6a3c1f1d0a01", vmName: "mail-01" };
const AT = "2026-03-04T05:06:07.890Z";
const STEP = {
  n: 1,
  verb: "host.delete-checkpoints",
  subject: "cp3",
  call: "virDomainCheckpointDelete(cp3, 0)",
} as const;

const job: JobView = {
  id: "5a2f1a52-4a0b-4d44-9a55-2f9a4c7f0b11",
  planId: null,
  groupId: null,
  ...VM,
  kind: "heal",
  state: "failed",
  actor: "ops@example.test",
  reason: "ticket 7",
  createdAt: AT,
  startedAt: AT,
  endedAt: "2026-03-04T05:06:09Z",
  stepsDone: 0,
  stepsTotal: 2,
  progress: null,
  lostContactSince: null,
  cancelRequestedAt: null,
  error: "A step could not be done.",
  steps: [
    {
      ...STEP,
      place: "host",
      state: "failed",
      startedAt: AT,
      endedAt: AT,
      error: "Another job holds the domain.",
      hostMessage: "Timed out during operation: cannot acquire state change lock",
      outcome: null,
    },
    {
      ...STEP,
      n: 2,
      verb: "prove",
      subject: "the VM",
      call: "observe",
      place: "host",
      state: "queued",
      startedAt: null,
      endedAt: null,
      error: null,
      hostMessage: null,
      outcome: null,
    },
  ],
  disks: [{ target: "vda", mode: "full", bytes: null, path: null }],
  proof: null,
};

test("a failed job as text has where it stopped, our words, the host's own, what was not reached and that nothing is proved", () => {
  expect(jobAsText(job, URL).split("\n")).toEqual([
    "[Failed] Heal mail-01",
    "Job:          5a2f1a52-4a0b-4d44-9a55-2f9a4c7f0b11",
    "VM:           mail-01 (0c6d8f5e-5f0a-4c86-8d3e-6a3c1f1d0a01)",
    "By:           ops@example.test",
    "Reason:       ticket 7",
    "Asked for:    2026-03-04T05:06:07Z",
    "Started:      2026-03-04T05:06:07Z",
    "Ended:        2026-03-04T05:06:09Z",
    "Error:        A step could not be done.",
    "Steps done:   0 of 2",
    "Steps:",
    "  1. [Failed] Delete checkpoint: cp3",
    "     virDomainCheckpointDelete(cp3, 0)",
    "     Another job holds the domain.",
    "     The host says: “Timed out during operation: cannot acquire state change lock”",
    "  2. [Not reached] Prove: the VM",
    "     observe",
    "Disks:",
    "  vda: full, size not told, no file yet",
    "Proof:        none: the host was not read afterwards",
    "Link:         https://console.example/x",
  ]);
});

test("a job's proof names what is gone, what still stands or is still on the host, and what is new: foreseen or not", () => {
  const proof = {
    observedAt: AT,
    digest: "0123456789abcdef0123",
    agreement: "differs",
    gone: ["bitmap.missing|cp3|vda|"],
    left: ["bitmap.gap|cp2|vda|"],
    appeared: ["bitmap.unknown||vdb|x%7Cy%25", "disk.added||vdc|"],
    foreseen: ["disk.added||vdc|"],
    remains: ["bitmap cp1 on vda"],
  } as const;
  const text = jobAsText({ ...job, state: "succeeded", proof: structuredClone(proof) as never }, URL);
  expect(text).toContain("read 2026-03-04T05:06:07Z, differs, digest 0123456789abcdef\n");
  expect(text).toContain("gone, as promised: Bitmap missing: checkpoint cp3, disk vda\n");
  expect(text).toContain("still there: Bitmap missing in an upper layer: checkpoint cp2, disk vda\n");
  expect(text).toContain("new, and not foreseen: Bitmap that nobody claims: disk vdb, bitmap x|y%\n");
  expect(text).toContain("new, as foreseen: ");
  expect(text).toContain("still on the host: bitmap cp1 on vda\n");
  expect(text).not.toContain("not read afterwards");
});

test("a plan as text has what would happen and be lost, the next backup before and after, what has changed, and every call", () => {
  const verdict = { disk: "vda", verdict: "incremental", from: "cp3", estimatedBytes: 1024, reason: null } as const;
  const plan: PlanView = {
    id: "7d6b0c53-9f0e-4c0b-8d65-0d3f0b0c2a22",
    ...VM,
    groupId: null,
    intent: "heal",
    params: {},
    tier: 2,
    basis: {
      recordRevision: 17,
      observationDigest: "feedfacefeedfacefeed",
      observedAt: AT,
      hostId: "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
      hostName: "alpha",
      runtimeId: null,
    },
    consequences: ["cp3 loses vda."],
    losses: [{ id: "l1", text: "The next backup of vda is full." }],
    costs: [{ disk: "vda", now: verdict, after: { ...verdict, verdict: "full", from: null, estimatedBytes: null } }],
    counts: {
      define: 0,
      replace: 0,
      deleteCheckpoints: 1,
      deleteBitmaps: 0,
      recordChanges: 0,
      fullDisks: 1,
      incrementalDisks: 0,
    },
    steps: [{ ...STEP, place: "host", reversible: false }],
    promises: [],
    confirm: null,
    role: "operator",
    state: "ready",
    changes: [{ what: "record revision", was: "16", is: "17" }],
    jobId: null,
    createdBy: "ops@example.test",
    createdAt: AT,
    expiresAt: "2026-03-04T05:21:07Z",
  };
  expect(planAsText(plan, "out-of-date", URL).split("\n")).toEqual([
    "[Out of date] Heal mail-01",
    "Plan:         7d6b0c53-9f0e-4c0b-8d65-0d3f0b0c2a22",
    "VM:           mail-01 (0c6d8f5e-5f0a-4c86-8d3e-6a3c1f1d0a01)",
    "Host:         alpha",
    "Tier:         T2, loses increments",
    "Made:         2026-03-04T05:06:07Z by ops@example.test, until 2026-03-04T05:21:07Z",
    "Stands on:    read of 2026-03-04T05:06:07Z, digest feedfacefeedface, record revision 17",
    "Counts:       − delete 1, ! full 1",
    "Would happen:",
    "  cp3 loses vda.",
    "Would be lost:",
    "  The next backup of vda is full.",
    "Next backup now and afterwards:",
    "  vda: incremental from cp3, about 1 KiB",
    "    → vda: full",
    "Has changed since:",
    "  record revision: 16 → 17",
    "Steps:",
    "  1. Delete checkpoint: cp3",
    "     virDomainCheckpointDelete(cp3, 0)",
    "Link:         https://console.example/x",
  ]);
});

test("what is not known of a backup or a host is said, never left out", () => {
  const backup: BackupView = {
    id: "9a1c1a52-4a0b-4d44-9a55-2f9a4c7f0b33",
    vmId: VM.vmId,
    jobId: null,
    hostId: null,
    checkpointId: "driftline-1",
    kind: "mixed",
    state: "finished",
    startedAt: AT,
    endedAt: AT,
    bytes: null,
    error: null,
    disks: [{ target: "vda", mode: "incremental", base: "cp3", path: null, backing: null, bytes: null, sha256: null }],
    verified: null,
  };
  expect(backupAsText(backup, VM.vmName, URL)).toContain("Restore:      never verified");
  expect(backupAsText(backup, VM.vmName, URL)).toContain(
    "  vda: incremental from cp3, size not told\n    file       none\n    SHA-256    not recorded",
  );
  const host: Host = {
    id: "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
    name: "alpha",
    url: "https://alpha.example:7411",
    kind: "unknown",
    state: "offline",
    lastContactAt: null,
    lastSweepAt: null,
    error: {
      code: "agent-unreachable",
      message: "The agent did not answer.",
      hostMessage: "ECONNREFUSED",
      retryable: true,
    },
    libvirtVersion: null,
    qemuVersion: null,
    agentVersion: null,
    clockSkewMs: null,
    capabilities: {},
    switchedOff: [{ what: "Bitmaps of running VMs", why: "qmp is forbidden" }],
    vms: 3,
    origin: "configuration",
    pairedAt: null,
    rotatedAt: null,
    retiredAt: null,
  };
  const text = hostAsText(host, URL);
  for (const label of ["libvirt", "QEMU", "Agent", "Clock"])
    expect(text).toContain(`${`${label}:`.padEnd(14)}cannot tell`);
  expect(text).toContain("Error:        agent-unreachable: The agent did not answer.");
  expect(text).toContain("It says:      “ECONNREFUSED”");
  expect(text).toContain("  Bitmaps of running VMs: qmp is forbidden");
});
