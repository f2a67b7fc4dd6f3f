/**
 * Backups of a simulated host. Its files are real and small: each says what was backed up, so that paths, removal and
 * restore points behave as they do on a real host. A job runs for `backupMs` of the state file.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Observation } from "#chain/model.ts";
import type { BeginBackupInput, CurrentBackup, VerifyBackupInput, VerifyItem } from "#contract/agent-operations.ts";
import { invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { discardFiles } from "../backups/discard.ts";
import { MadeFiles, readAllocated } from "../backups/files.ts";
import { checkFile, type SafePath } from "../backups/paths.ts";
import { findObstacle, type PreparedDisk, prepareDisks } from "../backups/request.ts";
import { streamOf } from "../backups/verify/stream.ts";
import type { Compared, DiskItem } from "../backups/verify/verify.ts";
import type { BackupOperations } from "../driver.ts";
import { hostError, toHostError } from "../host-error.ts";
import { makeBitmap } from "./controller.ts";
import { domainsOf, readState, type SimBackup, type SimDisk, type SimDomain, writeState } from "./state.ts";

const BACKUP_MS = 300;
const iso = (ms: number): string => new Date(ms).toISOString();

const fileSchema = z.object({
  simulated: z.literal(true),
  content: z.string(),
  virtualSize: z.int(),
  backing: z.string().nullable(),
});
type SimFile = z.infer<typeof fileSchema>;

type Host = {
  path: string;
  repositories: readonly string[];
  /** @throws HostFailure while the host is off */
  find: (vmId: string) => SimDomain | undefined;
  /** @throws HostFailure when the domain is told to fail */
  observe: (domain: SimDomain) => Observation;
};

const contentOf = ({ source, writes = 0 }: SimDisk): string =>
  createHash("sha256").update(`${source}\n${writes}`).digest("hex");

const NONE: CurrentBackup = {
  state: "none",
  checkpointId: null,
  startedAt: null,
  endedAt: null,
  progress: null,
  disks: [],
  error: null,
};

export function makeSimulatedBackups({ path, repositories, find, observe }: Host) {
  function lookUp(vmId: string): SimDomain {
    const domain = find(vmId);
    if (domain !== undefined) return domain;
    throw new ProblemError("not_found", "This host has no such domain.", { subject: vmId });
  }
  function edit(vmId: string, work: (domain: SimDomain) => void): void {
    lookUp(vmId);
    const state = readState(path);
    const domain = domainsOf(state).get(vmId);
    if (domain === undefined) return;
    work(domain);
    state.domains = [...state.domains.filter((d) => d.vmId !== vmId), domain];
    writeState(path, state);
  }

  /** What the passing of time, a stop or a kill did to the job. */
  function settle(vmId: string): void {
    const { backup, power, run, disks } = lookUp(vmId);
    if (backup?.state !== "running") return;
    const end = (state: SimBackup["state"]): void =>
      edit(vmId, (domain) => {
        domain.job = null;
        if (domain.backup) domain.backup = { ...domain.backup, state, endedAt: Date.now() };
      });
    if (power === "shut-off" || run !== backup.run) end("failed");
    else if (Date.now() - backup.startedAt >= (readState(path).backupMs ?? BACKUP_MS)) end("finished");
    else if (backup.disks.some(({ target }) => !disks.some((disk) => disk.target === target))) end("failed");
  }

  async function show(vmId: string): Promise<CurrentBackup> {
    settle(vmId);
    const { backup, job } = lookUp(vmId);
    if (backup === undefined || (backup.state !== "running" && job?.operation === "backup")) {
      return job?.operation === "backup" ? { ...NONE, state: "running" } : NONE;
    }
    const { state, checkpointId, startedAt, endedAt, totalBytes } = backup;
    const part = Math.min(1, (Date.now() - startedAt) / (readState(path).backupMs ?? BACKUP_MS));
    const doneBytes = state === "finished" ? totalBytes : Math.floor(totalBytes * part);
    const stopped = hostError("domain-changed", "The VM stopped before its backup had finished.");
    return {
      state,
      checkpointId,
      startedAt: iso(startedAt),
      endedAt: endedAt === null ? null : iso(endedAt),
      progress: { doneBytes, totalBytes },
      disks: await Promise.all(
        backup.disks.map(async ({ target, mode, path: shown, real }) => ({
          target,
          mode,
          path: shown,
          bytes: await readAllocated(real),
        })),
      ),
      error: state === "failed" ? stopped : null,
    };
  }

  function start({ vmId, checkpointId }: BeginBackupInput, disks: readonly PreparedDisk[]): void {
    const covered = disks.filter(({ isCovered }) => isCovered).map(({ target }) => target);
    edit(vmId, (domain) => {
      const parentId = domain.checkpoints.find((c) => c.current)?.id ?? domain.checkpoints.at(-1)?.id ?? null;
      if (covered.length > 0) {
        for (const other of domain.checkpoints) other.current = false;
        domain.checkpoints.push({
          id: checkpointId,
          parentId,
          createdAt: iso(Math.floor(Date.now() / 1000) * 1000),
          current: true,
          hasDisksElement: true,
          disks: covered.map((target) => ({ target, bitmap: checkpointId })),
        });
      }
      const taken = domain.disks.filter(({ target }) => disks.some((disk) => disk.target === target));
      for (const disk of taken) {
        if (covered.includes(disk.target)) disk.layers[0]?.bitmaps.push(makeBitmap(checkpointId));
      }
      const totalBytes = taken.reduce((sum, { virtualSize }) => sum + virtualSize, 0);
      domain.job = { operation: "backup", elapsedMs: 0, doneBytes: 0, totalBytes };
      domain.backup = {
        state: "running",
        checkpointId: covered.length > 0 ? checkpointId : null,
        run: domain.run,
        startedAt: Date.now(),
        endedAt: null,
        totalBytes,
        disks: disks.map(({ target, mode, file }) => ({ target, mode, path: file.path, real: file.real })),
      };
    });
  }

  async function begin(input: BeginBackupInput): Promise<CurrentBackup> {
    settle(input.vmId);
    const domain = lookUp(input.vmId);
    const observation = observe(domain);
    const disks = await prepareDisks(repositories, observation, input, { readMagic: false });
    const failed = (error: CurrentBackup["error"]): CurrentBackup => ({
      ...NONE,
      state: "failed",
      endedAt: iso(Date.now()),
      disks: input.disks.map(({ target, mode, path: shown }) => ({ target, mode, path: shown, bytes: null })),
      error,
    });
    const obstacle = findObstacle(observation, disks, input);
    if (obstacle !== null) return failed(obstacle);
    const made = new MadeFiles();
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    try {
      for (const { target, file, backing } of disks) {
        const disk = domain.disks.find((one) => one.target === target);
        if (disk === undefined) continue;
        const text: SimFile = {
          simulated: true,
          content: contentOf(disk),
          virtualSize: disk.virtualSize,
          backing: backing?.real ?? null,
        };
        await made.makeEmptyFile(file, owner, (handle) => handle.writeFile(JSON.stringify(text)));
      }
      start(input, disks);
    } catch (thrown) {
      await made.undo();
      return failed(toHostError(thrown));
    }
    return await show(input.vmId);
  }

  function compare(disk: SimDisk | undefined, domain: SimDomain | undefined, content: string, id?: string): Compared {
    const not = (detail: string): Compared => ({ comparedWithDisk: "not-comparable", detail });
    if (domain === undefined || disk === undefined) return not("This host does not know the VM, or the VM this disk.");
    if (domain.power !== "shut-off") return not(`The VM is ${domain.power}: its disks change.`);
    const bitmap = disk.layers[0]?.bitmaps.find(({ name }) => name === id);
    if (bitmap !== undefined && bitmap.dirtyBytes > 0) {
      return not(`The disk changed: ${bitmap.dirtyBytes} bytes were written since '${id}'.`);
    }
    if (contentOf(disk) === content) return { comparedWithDisk: "equal", detail: null };
    if (bitmap === undefined) return not("The contents differ, and whether the disk changed since cannot be told.");
    return { comparedWithDisk: "differs", detail: "first at byte 0" };
  }

  function verifyDisk(target: string, file: SafePath, { compareWith }: VerifyBackupInput): DiskItem {
    const item: DiskItem = {
      type: "disk",
      target,
      images: [],
      sha256: null,
      virtualSize: null,
      comparedWithDisk: "not-comparable",
      detail: null,
      error: null,
    };
    let top: SimFile | null = null;
    for (let next: string | null = file.real; next !== null; ) {
      const at: string = next;
      try {
        const read = fileSchema.parse(JSON.parse(readFileSync(at, "utf8")));
        item.images.push({ path: at, ok: true, corruptions: 0, leaks: 0, error: null });
        top ??= read;
        next = read.backing;
      } catch (thrown) {
        const words = thrown instanceof Error ? thrown.message : String(thrown);
        item.images.push({ path: at, ok: false, corruptions: null, leaks: null, error: words });
        const error = hostError("unreadable", "An image of the chain is damaged: it was not restored.");
        return { ...item, detail: "It cannot be restored.", error };
      }
    }
    const whole = { ...item, sha256: top?.content ?? null, virtualSize: top?.virtualSize ?? null };
    if (compareWith === null) return { ...whole, detail: "Nothing was asked." };
    const domain = find(compareWith.vmId);
    const disk = domain?.disks.find((one) => one.target === target);
    return { ...whole, ...compare(disk, domain, top?.content ?? "", compareWith.checkpointId) };
  }

  async function verify(input: VerifyBackupInput, signal: AbortSignal): Promise<AsyncGenerator<VerifyItem>> {
    const checked = await Promise.all(input.disks.map((disk) => checkFile(repositories, disk.path)));
    const offences = checked.flatMap((one, i) => (one.ok ? [] : [{ field: `disks[${i}].path`, reason: one.reason }]));
    if (offences.length > 0) throw invalidInput(offences);
    return streamOf<VerifyItem>(signal, async (emit) => {
      for (const [i, { target }] of input.disks.entries()) {
        const one = checked[i];
        if (!one?.ok) continue;
        const item = verifyDisk(target, one.at, input);
        const totalBytes = item.virtualSize ?? 0;
        for (const what of ["check", "restore"] as const) {
          emit({ type: "progress", target, what, doneBytes: totalBytes, totalBytes });
        }
        emit(item);
      }
      emit({ type: "done", at: iso(Date.now()) });
    });
  }

  const operations: BackupOperations = {
    beginBackup: begin,
    currentBackup: ({ vmId }) => show(vmId),
    async abortBackup({ vmId }) {
      settle(vmId);
      const { job, backup } = lookUp(vmId);
      if (job?.operation !== "backup") return await show(vmId);
      await sleep(readState(path).changeMs ?? 0);
      const isOurs = backup?.state === "running";
      edit(vmId, (domain) => {
        domain.job = null;
        if (isOurs && domain.backup) domain.backup = { ...domain.backup, state: "aborted", endedAt: Date.now() };
      });
      return isOurs ? await show(vmId) : { ...NONE, state: "aborted", endedAt: iso(Date.now()) };
    },
    discardFiles: (input) =>
      discardFiles(repositories, input, async (files) => {
        const running = [...domainsOf(readState(path)).values()].flatMap(({ backup }) =>
          backup?.state === "running" ? backup.disks.map(({ real }) => real) : [],
        );
        return files.map((file) => running.includes(file));
      }),
    verifyBackup: verify,
  };
  return { operations, settle };
}
