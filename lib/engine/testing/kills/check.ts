/** What must hold after a round. Each answers with the words of what does not. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { listBackups, listOpenFindings } from "#db/index.ts";
import type { Round } from "./model.ts";
import type { Stage } from "./stage.ts";
import { readDoubles, readWitnesses, type Witnesses } from "./witness.ts";

const run = promisify(execFile);

const without = (a: string[], b: string[]): string[] => a.filter((key) => !b.includes(key));
const idOf = (key: string): string => key.slice(key.indexOf(":") + 1);

/** How many backups failed after QEMU had begun them: those leave something to be removed. `met`: bitmaps that were seen. */
export async function countUndone(stage: Stage, { beganAt }: Round, met: ReadonlySet<string>): Promise<number> {
  return (await readBackups(stage)).filter(
    ({ state, startedAt, checkpointId }) =>
      state !== "finished" && Date.parse(startedAt) >= beganAt.getTime() - 1_000 && met.has(checkpointId ?? ""),
  ).length;
}

async function readBackups({ engine, vm }: Stage) {
  return (await listBackups(engine.db.orm, { vmId: vm.id, before: null, limit: 1_000 })).items;
}

/** Before anything is repaired: what did not finish is nowhere, and no difference is without a finding. */
export async function checkSettled(stage: Stage): Promise<string[]> {
  const seen = await readWitnesses(stage);
  const faults = [...(await checkUnfinished(stage, seen)), ...(await readDoubles(stage))];
  const findings = await listOpenFindings(stage.engine.db.orm, stage.vm.id);
  const named = new Set(findings.flatMap(({ subject }) => [subject.checkpointId, subject.bitmap]));
  for (const [words, keys] of differences(seen))
    for (const key of keys) if (!named.has(idOf(key))) faults.push(`${words}, and no finding says so: ${key}`);
  return faults;
}

async function checkUnfinished(stage: Stage, { record, libvirt, bitmaps }: Witnesses): Promise<string[]> {
  const faults: string[] = [];
  const backups = await readBackups(stage);
  const places = { "it is recorded": record, "libvirt lists it": libvirt, "its bitmap is there": bitmaps };
  for (const { checkpointId, state, disks } of backups) {
    const id = checkpointId ?? "";
    if (state === "running") faults.push(`backup ${id} still counts as running`);
    for (const { path } of disks) {
      if (state === "finished" && !existsSync(path ?? ""))
        faults.push(`the finished backup ${id} lacks its file ${path}`);
      if (state !== "finished" && existsSync(path ?? ""))
        faults.push(`backup ${id} ${state}, and its file ${path} is there`);
    }
    if (state === "finished") continue;
    for (const [words, keys] of Object.entries(places))
      if (keys.some((key) => idOf(key) === id)) faults.push(`backup ${id} ${state}, and ${words}`);
  }
  const finished = new Set(backups.flatMap(({ state, checkpointId }) => (state === "finished" ? [checkpointId] : [])));
  const folder = join(stage.rig.lab.repository, stage.vm.id);
  const made = existsSync(folder) ? readdirSync(folder) : [];
  for (const id of made) if (!finished.has(id)) faults.push(`the repository holds ${id}, which is no finished backup`);
  return faults;
}

const differences = ({ record, libvirt, bitmaps }: Witnesses): [string, string[]][] => [
  ["recorded and not in libvirt", without(record, libvirt)],
  ["in libvirt and not recorded", without(libvirt, record)],
  ["recorded without a bitmap", without(record, bitmaps)],
  ["a bitmap without an owner", without(bitmaps, record)],
];

/** At the end: record, libvirt and bitmaps are one; nothing that was not named is lost, nothing is there twice. */
export async function checkWhole(stage: Stage, round: Round, wasQemuKilled: boolean): Promise<string[]> {
  const faults = await readDoubles(stage);
  for (const { id } of await listOpenFindings(stage.engine.db.orm, stage.vm.id)) faults.push(`${id} still stands`);
  const seen = await readWitnesses(stage);
  for (const [words, keys] of differences(seen)) if (keys.length > 0) faults.push(`${words}: ${keys.join(" ")}`);
  // QEMU takes the bitmaps that it had not stored along: healing then removes those checkpoints, rightly.
  const lost = wasQemuKilled ? [] : without(round.before, seen.record).filter((key) => !round.mayGo.has(key));
  if (lost.length > 0) faults.push(`lost: ${lost.join(" ")}`);
  return faults;
}

export type Compared = { faults: string[]; compared: number; mixed: number };

/** Nothing was written to the disks since the operation began: what its backup holds is what they hold. */
export async function compareBackups(stage: Stage, { beganAt }: Round): Promise<Compared> {
  const result: Compared = { faults: [], compared: 0, mixed: 0 };
  for (const backup of await readBackups(stage)) {
    if (backup.state !== "finished" || Date.parse(backup.startedAt) < beganAt.getTime() - 1_000) continue;
    if (new Set(backup.disks.map(({ mode }) => mode)).size > 1) result.mixed += 1;
    for (const { target, path, mode } of backup.disks) {
      const args = ["compare", "-U", "-f", "qcow2", "-F", "qcow2", path ?? "", stage.vm.disk(target).path];
      const words = await run("qemu-img", args).then(
        ({ stdout }) => (stdout.includes("identical") ? null : stdout),
        (thrown: { stdout?: string; stderr?: string }) => `${thrown.stdout}${thrown.stderr}`,
      );
      if (words !== null)
        result.faults.push(
          `the ${mode} backup ${backup.checkpointId} of ${target} is not what the disk holds: ${words}`,
        );
      result.compared += 1;
    }
  }
  return result;
}
