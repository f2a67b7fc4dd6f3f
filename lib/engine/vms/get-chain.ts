import { summariseBitmaps } from "#chain/bitmaps.ts";
import type { DiskObservation, DiskVerdict, Finding, Freshness, Observation, RecordCheckpoint } from "#chain/model.ts";
import { orderCheckpoints } from "#chain/order.ts";
import { isLive, readCheckpoints } from "#chain/trust.ts";
import type { Chain } from "#contract/engine-vms.ts";
import { getHost, listOpenFindings, listPresence, listRestorePoints, readRecord, type Tx } from "#db/index.ts";
import { readSpeakersObservation } from "../observe/recompute.ts";
import { chooseSpeaker } from "../observe/speaker.ts";
import type { Context } from "../state.ts";
import { noSuchVm, requireRow, requireVm } from "./lookup.ts";

export const toRecordCheckpoint = (item: RecordCheckpoint) => ({
  id: item.id,
  parentId: item.parentId,
  createdAt: item.createdAt,
  state: item.state,
  origin: item.origin,
  backup: item.backup,
  disks: item.disks.map((disk) => disk.target),
});

/** A disk as the matrix shows it. Bitmaps that could not be read are null and never an empty list. */
function toDisk(disk: DiskObservation, lies: boolean): Chain["host"]["disks"][number] {
  const { target, source, format, virtualSize, identity } = disk;
  const bitmaps = summariseBitmaps(disk);
  const usable = bitmaps.ok && !lies;
  return {
    target,
    source,
    format,
    virtualSize,
    identity,
    bitmaps: usable ? bitmaps.value : null,
    error: bitmaps.ok
      ? lies
        ? {
            code: "internal",
            message: "The VM runs, and its image file says nothing true meanwhile.",
            hostMessage: null,
            retryable: true,
          }
        : null
      : bitmaps.error,
  };
}

function toHost(
  observation: Observation | null,
): Pick<Chain["host"], "source" | "runtimeId" | "digest" | "checkpoints" | "disks"> {
  if (!observation) return { source: null, runtimeId: null, digest: null, checkpoints: null, disks: [] };
  const checkpoints = readCheckpoints(observation);
  const lies = isLive(observation) && observation.source === "image";
  return {
    source: observation.source,
    runtimeId: observation.runtimeId,
    digest: observation.digest || null,
    checkpoints: checkpoints.ok
      ? checkpoints.value.map(({ id, parentId, createdAt, disks }) => ({ id, parentId, createdAt, disks }))
      : null,
    disks: observation.disks.map((disk) => toDisk(disk, lies)),
  };
}

/** The three witnesses together, as they are known at one moment. Reads nothing from the host. */
export function getChain(context: Context, { vmId }: { vmId: string }): Promise<Chain> {
  return context.engine.db.orm.transaction((tx) => readChain(context, tx, vmId), {
    isolationLevel: "repeatable read",
    accessMode: "read only",
  });
}

async function readChain(context: Context, tx: Tx, vmId: string): Promise<Chain> {
  const row = await requireRow(context, vmId, tx);
  const vm = await requireVm(context, vmId, tx);
  const record = await readRecord(tx, vmId);
  if (!record) throw noSuchVm(vmId);
  const presences = await listPresence(tx, vmId);
  const speaker = chooseSpeaker(presences, vm.hostId);
  const observation = speaker && (await readSpeakersObservation(tx, speaker, vm));
  const host = vm.hostId ? await getHost(tx, vm.hostId) : null;
  const error =
    vm.error ??
    (host && (host.state === "offline" || !host.configured) ? (host.error ?? notConfigured(host.name)) : null);
  const bases = vm.verdicts.flatMap(({ from }) => (from === null ? [] : [from]));
  const restorePoints = await listRestorePoints(tx, vmId, bases);
  const isDoubted = error !== null || isPast(row.freshness);
  return {
    vm: {
      id: vmId,
      name: row.name,
      hostId: row.hostId,
      hostName: row.hostName,
      simulated: row.simulated,
      power: row.power,
    },
    record: {
      revision: record.revision,
      checkpoints: orderCheckpoints(record.checkpoints).ordered.map(toRecordCheckpoint),
    },
    host: {
      status: error ? "failed" : vm.observedAt ? "observed" : "never",
      observedAt: vm.observedAt,
      triedAt: vm.triedAt,
      ...toHost(observation),
      error,
    },
    findings: (await listOpenFindings(tx, vmId)).map((finding) => ({
      ...finding,
      evidence: { ...finding.evidence, ...sightOf(finding.evidence, vm.observedAt, observation) },
    })),
    nextBackup: vm.verdicts.map((verdict) => ({
      ...toVerdict(verdict, isDoubted),
      isBaseBackedUp: verdict.from === null ? null : restorePoints.has(`${verdict.from}|${verdict.disk}`),
    })),
    agreement: row.agreement,
    freshness: row.freshness,
  };
}

/** When and where a finding was last shown: on the read that stands, unless it had to be carried over it. */
function sightOf({ observedAt, source }: Finding["evidence"], readAt: string | null, observation: Observation | null) {
  if (observedAt !== undefined) return { observedAt, source: source ?? null };
  return { observedAt: readAt, source: observation?.source ?? null };
}

const isPast = (freshness: Freshness): boolean => freshness === "stale" || freshness === "offline";

/** A verdict that nothing confirms now is no verdict: whoever acts on the answer must not take the past for it. */
function toVerdict(verdict: DiskVerdict, isDoubted: boolean): Omit<Chain["nextBackup"][number], "isBaseBackedUp"> {
  if (!isDoubted || verdict.verdict === "unknown") return { ...verdict, lastKnown: null };
  return { ...verdict, verdict: "unknown", lastKnown: verdict.verdict };
}

const notConfigured = (name: string) => ({
  code: "agent-unreachable" as const,
  message: `The host ${name} is not in the configuration any more.`,
  hostMessage: null,
  retryable: false,
});
