/**
 * The agent's note of a backup job, in the repository that the job writes to. It says which job it was, which libvirt
 * does not: its checkpoint, when it was asked for, when it was last seen to run, and how it ended. It decides nothing by
 * itself, see `outcome.ts` and lib/decisions/how-a-backup-ended.md.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { hostErrorSchema } from "#contract/agent-operations.ts";
import { findOwnFolder, makeOwnFolder } from "./own-folder.ts";

const noteSchema = z.object({
  version: z.literal(1),
  uri: z.string(),
  vmId: z.string(),
  runtimeId: z.string(),
  checkpointId: z.string().nullable(),
  disks: z.array(
    z.object({ target: z.string(), mode: z.enum(["full", "incremental"]), path: z.string(), real: z.string() }),
  ),
  /** Just before libvirt was asked, ms. */
  askedAt: z.int(),
  /** libvirt said that it began. */
  isBegun: z.boolean(),
  /** Last seen to run, ms; `askedAt` until then. */
  seenAt: z.int(),
  totalBytes: z.int().nullable(),
  abortedAt: z.int().nullable(),
  /** When libvirt was seen to wait for block jobs that are gone, ms; from then on the agent ends it. Absent in older notes. */
  strandedAt: z.int().nullable().default(null),
  end: z
    .object({
      state: z.enum(["finished", "failed", "aborted", "ended-unseen"]),
      at: z.int(),
      doneBytes: z.int().nullable(),
      error: hostErrorSchema.nullable(),
    })
    .nullable(),
});
export type BackupNote = z.infer<typeof noteSchema>;

/** A repository may be shared by hosts, and a machine may have several libvirts. */
export function hostKey(uri: string): string {
  return createHash("sha256").update(`${hostname()}\n${uri}`).digest("hex").slice(0, 16);
}

/** The agent's notes of one host, one a VM in each repository: that of its last job. */
export class Notes {
  readonly #repositories: readonly string[];
  readonly #key: string;
  readonly uri: string;

  constructor(repositories: readonly string[], uri: string) {
    this.#repositories = repositories;
    this.uri = uri;
    this.#key = hostKey(uri);
  }

  /** Writes it in one step: a reader sees the old note or the new one. @throws what the file system says */
  async write(repository: string, note: BackupNote): Promise<void> {
    const file = join(await makeOwnFolder(repository, "jobs"), this.#name(note.vmId));
    const temporary = `${file}.${process.pid}.new`;
    await writeFile(temporary, JSON.stringify(note), { mode: 0o600, flush: true });
    await rename(temporary, file);
  }

  async remove(repository: string, vmId: string): Promise<void> {
    const folder = await findOwnFolder(repository, "jobs");
    if (folder !== null) await rm(join(folder, this.#name(vmId)), { force: true });
  }

  /** The newest note of a VM with where it lies; null: there is none that can be read. */
  async find(vmId: string): Promise<{ repository: string; note: BackupNote } | null> {
    let newest: { repository: string; note: BackupNote } | null = null;
    for (const listed of this.#repositories) {
      const repository = await realpath(listed).catch(() => listed);
      const folder = await findOwnFolder(repository, "jobs");
      const note = folder === null ? null : await this.#read(join(folder, this.#name(vmId)));
      if (note !== null && (newest === null || note.askedAt > newest.note.askedAt)) newest = { repository, note };
    }
    return newest;
  }

  /** VMs whose last job has no end in its note. */
  async unfinished(): Promise<string[]> {
    const vmIds = new Set<string>();
    for (const listed of this.#repositories) {
      const folder = await findOwnFolder(listed, "jobs");
      if (folder === null) continue;
      for (const name of await readdir(folder).catch(() => [])) {
        if (!name.startsWith(`${this.#key}-`) || !name.endsWith(".json")) continue;
        const note = await this.#read(join(folder, name));
        if (note !== null && note.end === null) vmIds.add(note.vmId);
      }
    }
    return [...vmIds];
  }

  #name(vmId: string): string {
    return `${this.#key}-${vmId}.json`;
  }

  async #read(file: string): Promise<BackupNote | null> {
    try {
      const note = noteSchema.parse(JSON.parse(await readFile(file, "utf8")));
      return note.uri === this.uri ? note : null;
    } catch {
      // None, or one that somebody damaged: then nobody saw how that job ended.
      return null;
    }
  }
}
