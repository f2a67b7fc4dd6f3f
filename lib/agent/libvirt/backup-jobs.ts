/** Push backups on real libvirt, for the agent's API: begun, shown, aborted. */
import { setTimeout as sleep } from "node:timers/promises";
import type { BeginBackupInput, CurrentBackup } from "#contract/agent-operations.ts";
import { ProblemError } from "#contract/problem.ts";
import { HostFailure, observeError } from "../failure.ts";
import { type BackupParts, beginBackup, CHANGE_DEADLINE_MS } from "./backup-begin.ts";
import { foreign, iso, NONE, showNote } from "./backup-views.ts";

const ABORT_FOR_MS = 20_000;
const LOOK_EVERY_MS = 100;

export class BackupJobs {
  readonly #parts: BackupParts;

  constructor(parts: BackupParts) {
    this.#parts = parts;
  }

  /** @throws ProblemError invalid_input, not_found, conflict, vm_busy; HostFailure: nothing is known of how far it came */
  async begin(input: BeginBackupInput): Promise<CurrentBackup> {
    return (await beginBackup(this.#parts, input)) ?? (await this.current(input.vmId));
  }

  /** @throws ProblemError not_found; HostFailure when the host cannot be read */
  async current(vmId: string): Promise<CurrentBackup> {
    const { place, look, isWaiting } = await this.#parts.watch.settle(vmId);
    const isOurs = place !== null && place.note.end === null;
    if (isOurs) {
      const job = isWaiting ? null : (look?.job ?? null);
      return await showNote(place.note, { doneBytes: job?.doneBytes ?? 0, totalBytes: job?.totalBytes ?? null });
    }
    if (look !== null && look.backup !== null) return foreign(look);
    if (place !== null) return await showNote(place.note, null);
    if (look === null) throw new ProblemError("not_found", "This host has no such domain.", { subject: vmId });
    return NONE;
  }

  /** Ends the backup that holds the domain, whoever began it. Its checkpoint and its files stay: the caller decides. */
  async abort(vmId: string): Promise<CurrentBackup> {
    const { pool, watch } = this.#parts;
    const { place, look } = await watch.settle(vmId);
    if (look === null || look.backup === null) return await this.current(vmId);
    const isOurs = place !== null && place.note.end === null;
    if (isOurs) {
      place.note.abortedAt = Date.now();
      await watch.notes.write(place.repository, place.note);
    }
    await pool.call(
      "abortPush",
      { vmId, files: isOurs ? place.note.disks.map(({ real }) => real) : null, checkpointId: null },
      { vmId, deadlineMs: CHANGE_DEADLINE_MS },
    );
    const deadline = Date.now() + ABORT_FOR_MS;
    for (;;) {
      const now = await watch.settle(vmId);
      if (now.look?.backup == null && (!isOurs || now.place?.note.end !== null)) break;
      if (Date.now() > deadline) {
        throw new HostFailure(observeError("timeout", "libvirt took the abort, and the job is still there."));
      }
      await sleep(LOOK_EVERY_MS);
    }
    return isOurs ? await this.current(vmId) : { ...foreign(look), state: "aborted", endedAt: iso(Date.now()) };
  }
}
