/** The calls that the agent makes for one action: libvirt's and QEMU's own names, with their flags. */
import { assertNever } from "../assert-never.ts";
import { hasBitmap, listedOf, type PlanFacts } from "./facts.ts";
import type { BitmapName, CheckpointDefinition, PlanAction } from "./model.ts";
import { redefinitionOf } from "./redefinition.ts";
import type { Line } from "./steps.ts";

type HostAction = Extract<PlanAction, { verb: `host.${string}` }>;
type HostCounts = { define: number; replace: number; deleteCheckpoints: number; deleteBitmaps: number };

/** `counts` is added to. */
export function hostSteps(facts: PlanFacts, action: HostAction, counts: HostCounts): Line[] {
  switch (action.verb) {
    case "host.redefine":
      return redefineLines(facts, action, counts);
    case "host.delete-checkpoints":
      return action.ids.flatMap((id) => deleteCheckpointLines(facts, id, counts));
    case "host.delete-bitmaps":
      return action.items.flatMap((item) => deleteBitmapLines(facts, item, counts));
    case "host.backup":
      return backupLines(action);
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
  if (changes.length > 0) return changes.map(defineLine);
  const names = list.map(({ id }) => id);
  return [line("libvirt's list", "virDomainListAllCheckpoints: nothing to define", names, [], true)];
}

function defineLine({ id, parentId, disks }: CheckpointDefinition): Line {
  const call = `virDomainCheckpointCreateXML(REDEFINE) ${id}: disks ${disks.join(", ")}; ${parentId === null ? "no parent" : `parent ${parentId}`}`;
  return line(`checkpoint ${id}`, call, [id], disks, true);
}

function deleteCheckpointLines(facts: PlanFacts, id: string, counts: HostCounts): Line[] {
  const listed = listedOf(facts, id);
  if (!listed) return [line(`checkpoint ${id}`, `virDomainCheckpointLookupByName ${id}: not there`, [id], [], true)];
  counts.deleteCheckpoints += 1;
  const there = [...facts.disks.keys()].filter((target) => hasBitmap(facts, target, id));
  counts.deleteBitmaps += there.length;
  const metadata = line(`checkpoint ${id}`, `virDomainCheckpointDelete(METADATA_ONLY) ${id}`, [id], [], true);
  if (there.length === 0) return [metadata];
  if (!facts.live) return [...there.flatMap((disk) => offlineLines(facts, { disk, bitmap: id })), metadata];
  // libvirt deletes what the definition names and fails on the first that is missing: it must name exactly what is there.
  const defined = new Set(listed.disks.filter(({ bitmap }) => bitmap === id).map(({ target }) => target));
  const isExact = listed.disks.length === there.length && there.every((target) => defined.has(target));
  const narrowed = `virDomainCheckpointCreateXML(REDEFINE) ${id}: only disks ${there.join(", ")}`;
  return [
    ...(isExact ? [] : [line(`checkpoint ${id}`, narrowed, [id], there, true)]),
    line(`checkpoint ${id}`, `virDomainCheckpointDelete(0) ${id}`, [id], there, false),
  ];
}

function deleteBitmapLines(facts: PlanFacts, item: BitmapName, counts: HostCounts): Line[] {
  const { disk, bitmap } = item;
  const ids = facts.recorded.has(bitmap) ? [bitmap] : [];
  const subject = `bitmap ${bitmap} on ${disk}`;
  if (!hasBitmap(facts, disk, bitmap))
    return [line(subject, `look up ${bitmap} on ${disk}: not there`, ids, [disk], true)];
  counts.deleteBitmaps += 1;
  if (!facts.live) return offlineLines(facts, item);
  return [
    line(
      subject,
      `virDomainCheckpointCreateXML(REDEFINE): a short-lived definition with bitmap ${bitmap} on ${disk} only`,
      ids,
      [disk],
      true,
    ),
    line(subject, `virDomainCheckpointDelete(0): bitmap ${bitmap} on ${disk}`, ids, [disk], false),
  ];
}

/** Each image of the chain that holds it, under QEMU's own lock. */
function offlineLines(facts: PlanFacts, { disk, bitmap }: BitmapName): Line[] {
  const ids = facts.recorded.has(bitmap) ? [bitmap] : [];
  const held = facts.disks.get(disk)?.bitmaps?.get(bitmap)?.held ?? [];
  return held.map(({ layer }) =>
    line(`bitmap ${bitmap} on ${disk}`, `qemu-img bitmap --remove ${layer.path} ${bitmap}`, ids, [disk], false),
  );
}

function backupLines(action: Extract<PlanAction, { verb: "host.backup" }>): Line[] {
  const { checkpointId: id, parentId, disks } = action;
  const covered = disks.filter(({ inCheckpoint }) => inCheckpoint).map(({ target }) => target);
  const targets = disks.map(({ target }) => target);
  const files = disks.map(({ target, base }) => {
    const backing = base === null ? "" : ` -b <the file of ${base}>`;
    return line(
      `file for ${target}`,
      `qemu-img create -f qcow2${backing} <new file for ${target}>`,
      [],
      [target],
      true,
    );
  });
  const modes = disks.map(({ target, base }) =>
    base === null ? `${target} full` : `${target} incremental from ${base}`,
  );
  const begin = `virDomainBackupBegin(REUSE_EXTERNAL): ${modes.join("; ")}`;
  const start = line(`backup of ${targets.join(", ")}`, begin, covered.length > 0 ? [id] : [], targets, false);
  if (covered.length === 0) return [...files, start];
  const parent = parentId === null ? "no parent" : `parent ${parentId}`;
  const insert = `INSERT INTO vm_checkpoints ${id} (${parent}), state 'creating'`;
  return [
    { ...line(`checkpoint ${id}`, insert, [id], covered, true), place: "record" },
    ...files,
    { ...start, call: `${begin}; with checkpoint ${id} on ${covered.join(", ")}` },
    {
      ...line(
        `checkpoint ${id}`,
        `UPDATE vm_checkpoints SET state = 'active', when the job has finished`,
        [id],
        covered,
        true,
      ),
      place: "record",
    },
  ];
}
