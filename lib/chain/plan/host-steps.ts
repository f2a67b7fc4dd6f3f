/**
 * The changing calls that the agent makes for one action, each of them: libvirt's and QEMU's own names, with their flags.
 * Only what a call that fails or is killed makes necessary is not foreseen; see lib/decisions/deleting-on-a-host.md.
 */
import { assertNever } from "../assert-never.ts";
import { TEMPORARY_CHECKPOINT } from "../names.ts";
import { backupFileLines, readBackLines } from "./backup-files.ts";
import { bitmapSubject, toRounds } from "./bitmap-rounds.ts";
import { coverState, hasBitmap, listedOf, type PlanFacts } from "./facts.ts";
import type { BitmapName, CheckpointDefinition, PlanAction, PlanPolicy } from "./model.ts";
import { redefinitionOf } from "./redefinition.ts";
import type { Line } from "./steps.ts";

type HostAction = Extract<PlanAction, { verb: `host.${string}` }>;
type HostCounts = { define: number; replace: number; deleteCheckpoints: number; deleteBitmaps: number };

/** `counts` is added to. */
export function hostSteps(
  facts: PlanFacts,
  action: HostAction,
  counts: HostCounts,
  { digestBackups = false }: Pick<PlanPolicy, "digestBackups">,
): Line[] {
  switch (action.verb) {
    case "host.redefine":
      return redefineLines(facts, action, counts);
    case "host.delete-checkpoints":
      return action.ids.flatMap((id) => deleteCheckpointLines(facts, id, counts));
    case "host.delete-bitmaps":
      return deleteBitmapsLines(facts, action.items, counts);
    case "host.backup":
      return backupLines(facts, action, digestBackups);
    case "host.abort-job":
      return [line("the running job", "virDomainAbortJob", [], [], false)];
    default:
      return assertNever(action);
  }
}

function line(subject: string, call: string, checkpointIds: string[], disks: string[], reversible: boolean): Line {
  return { subject, call, reversible, checkpointIds, disks };
}

function redefineLines(
  facts: PlanFacts,
  action: Extract<HostAction, { verb: "host.redefine" }>,
  counts: HostCounts,
): Line[] {
  const list = action.checkpoints;
  const changes = redefinitionOf(facts, list);
  for (const { id } of changes) {
    if (listedOf(facts, id)) counts.replace += 1;
    else counts.define += 1;
  }
  if (changes.length > 0) return changes.map((change) => defineLine(facts, change));
  const names = list.map(({ id }) => id);
  return [line("libvirt's list", "virDomainListAllCheckpoints: nothing to define", names, [], true)];
}

/** Where nobody but libvirt may look at the bitmaps of a running VM, libvirt is told to. */
function defineLine(facts: PlanFacts, { id, parentId, disks }: CheckpointDefinition): Line {
  const isUnseen = disks.some((target) => coverState(facts, id, target) === "forbidden");
  const flags = isUnseen ? "REDEFINE | REDEFINE_VALIDATE" : "REDEFINE";
  const parent = parentId === null ? "no parent" : `parent ${parentId}`;
  const call = `virDomainCheckpointCreateXML(${flags}) ${id}: disks ${disks.join(", ")}; ${parent}`;
  return line(`checkpoint ${id}`, call, [id], disks, true);
}

/** Its definition is written before it is deleted, changed or as it is: see lib/decisions/deleting-on-a-host.md. */
function deleteCheckpointLines(facts: PlanFacts, id: string, counts: HostCounts): Line[] {
  const listed = listedOf(facts, id);
  if (!listed) return [line(`checkpoint ${id}`, `virDomainCheckpointLookupByName ${id}: not there`, [id], [], true)];
  counts.deleteCheckpoints += 1;
  const there = [...facts.disks.keys()].filter((target) => hasBitmap(facts, target, id));
  counts.deleteBitmaps += there.length;
  const define = (how: string) =>
    line(`checkpoint ${id}`, `virDomainCheckpointCreateXML(REDEFINE) ${id}: ${how}`, [id], there, true);
  const metadata = [
    define("as it is"),
    line(`checkpoint ${id}`, `virDomainCheckpointDelete(METADATA_ONLY) ${id}`, [id], [], true),
  ];
  if (there.length === 0) return metadata;
  if (!facts.live) return [...there.flatMap((disk) => offlineLines(facts, { disk, bitmap: id })), ...metadata];
  // libvirt deletes what the definition names and fails on the first that is missing: it must name exactly what is there.
  const defined = new Set(listed.disks.filter(({ bitmap }) => bitmap === id).map(({ target }) => target));
  const isExact = listed.disks.length === there.length && there.every((target) => defined.has(target));
  return [
    define(isExact ? "as it is" : `only disks ${there.join(", ")}`),
    line(`checkpoint ${id}`, `virDomainCheckpointDelete(0) ${id}`, [id], there, false),
  ];
}

function deleteBitmapsLines(facts: PlanFacts, items: readonly BitmapName[], counts: HostCounts): Line[] {
  const there = items.filter(({ disk, bitmap }) => hasBitmap(facts, disk, bitmap));
  counts.deleteBitmaps += there.length;
  const gone = items
    .filter((item) => !there.includes(item))
    .map(({ disk, bitmap }) => {
      const call = `look up ${bitmap} on ${disk}: not there`;
      return line(bitmapSubject([{ disk, bitmap }]), call, recordedOf(facts, bitmap), [disk], true);
    });
  const lines = facts.live
    ? toRounds(there).flatMap((round) => roundLines(facts, round))
    : there.flatMap((item) => offlineLines(facts, item));
  return [...gone, ...lines];
}

/** By a definition that lives for two calls. */
function roundLines(facts: PlanFacts, round: readonly BitmapName[]): Line[] {
  const named = round.map(({ disk, bitmap }) => `bitmap ${bitmap} on ${disk}`).join(", ");
  const ids = [...new Set(round.flatMap(({ bitmap }) => recordedOf(facts, bitmap)))];
  const disks = round.map(({ disk }) => disk);
  const of = (call: string, reversible: boolean) =>
    line(bitmapSubject(round), `${call} ${TEMPORARY_CHECKPOINT}: ${named}`, ids, disks, reversible);
  return [of("virDomainCheckpointCreateXML(REDEFINE)", true), of("virDomainCheckpointDelete(0)", false)];
}

const recordedOf = (facts: PlanFacts, bitmap: string): string[] => (facts.recorded.has(bitmap) ? [bitmap] : []);

/** Each image of the chain that holds it, under QEMU's own lock. */
function offlineLines(facts: PlanFacts, { disk, bitmap }: BitmapName): Line[] {
  const ids = recordedOf(facts, bitmap);
  const held = facts.disks.get(disk)?.bitmaps?.get(bitmap)?.held ?? [];
  return held.map(({ layer }) =>
    line(
      `bitmap ${bitmap} on ${disk}`,
      `qemu-img bitmap --remove -f ${layer.format} -- ${layer.path} ${bitmap}`,
      ids,
      [disk],
      false,
    ),
  );
}

/** libvirt's own bitmaps of a backup, which outlived its job: QEMU would refuse the next one. */
function leftHelpers({ disks }: PlanFacts): BitmapName[] {
  return [...disks].flatMap(([disk, { layers }]) => {
    const bitmap = `backup-${disk}`;
    const seen = layers.ok ? layers.value.flatMap((layer) => layer.bitmaps) : [];
    const isLeft = seen.some(({ name, persistent, busy }) => name === bitmap && !persistent && !busy);
    return isLeft ? [{ disk, bitmap }] : [];
  });
}

function backupLines(
  facts: PlanFacts,
  action: Extract<PlanAction, { verb: "host.backup" }>,
  isReadBack: boolean,
): Line[] {
  const { checkpointId: id, parentId, disks } = action;
  const covered = disks.filter(({ inCheckpoint }) => inCheckpoint).map(({ target }) => target);
  const targets = disks.map(({ target }) => target);
  const helpers = toRounds(leftHelpers(facts)).flatMap((round) => roundLines(facts, round));
  const files = backupFileLines(facts, disks);
  const back = isReadBack ? readBackLines(disks) : [];
  const modes = disks.map(({ target, base }) =>
    base === null ? `${target} full` : `${target} incremental from ${base}`,
  );
  const begin = `virDomainBackupBegin(REUSE_EXTERNAL): ${modes.join("; ")}`;
  const start = line(`backup of ${targets.join(", ")}`, begin, covered.length > 0 ? [id] : [], targets, false);
  if (covered.length === 0) return [...helpers, ...files, start, ...back];
  const parent = parentId === null ? "no parent" : `parent ${parentId}`;
  const insert = `INSERT INTO vm_checkpoints ${id} (${parent}), state 'creating'`;
  return [
    { ...line(`checkpoint ${id}`, insert, [id], covered, true), place: "record" },
    ...helpers,
    ...files,
    { ...start, call: `${begin}; with checkpoint ${id} on ${covered.join(", ")}` },
    ...back,
    {
      ...line(
        `checkpoint ${id}`,
        `UPDATE vm_checkpoints SET state = 'active', when all of that went well`,
        [id],
        covered,
        true,
      ),
      place: "record",
    },
  ];
}
