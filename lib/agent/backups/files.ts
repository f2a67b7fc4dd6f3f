/**
 * Makes and removes the files of a backup. QEMU writes into them, so they belong to its account; the folders above them do
 * not. A repository may be that account's all the same, so nothing is done by a path that could be another one by now.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, readlink, rmdir, unlink } from "node:fs/promises";
import { basename, dirname, relative } from "node:path";
import { HostFailure, observeError } from "../failure.ts";
import { typeImageError } from "../qemu/images.ts";
import { type Account, runTool } from "../qemu/tools.ts";
import type { SafePath } from "./paths.ts";

const CREATE_TIMEOUT_MS = 60_000;
const FOLDER_MODE = 0o750;
const FILE_MODE = 0o640;

export type NewImage = { file: SafePath; backing: SafePath | null; virtualSize: number };

const codeOf = (thrown: unknown): string | undefined => (thrown as NodeJS.ErrnoException).code;

function fileFailure(thrown: unknown, what: string): HostFailure {
  if (thrown instanceof HostFailure) return thrown;
  const words = thrown instanceof Error ? thrown.message : String(thrown);
  const code = codeOf(thrown);
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new HostFailure(observeError("permission-denied", `The agent may not ${what}.`, words));
  }
  return new HostFailure(observeError("internal", `The agent could not ${what}.`, words));
}

/**
 * Opens a folder, makes sure that it is where it should be, and lends a way into it that stays this folder whatever becomes
 * of the path: what is made or removed through it is made or removed there.
 */
async function inFolder<T>(folder: string, work: (opened: string) => Promise<T>): Promise<T> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const opened = `/proc/self/fd/${handle.fd}`;
    if ((await readlink(opened)) !== folder) throw new Error("somebody moved a folder on the way");
    return await work(opened);
  } finally {
    await handle.close();
  }
}

/** What was made, for an undo that removes in the opposite order. */
export class MadeFiles {
  readonly #folders: string[] = [];
  readonly #files: string[] = [];

  /** Makes what is missing of the folders above a file, one by one. QEMU's group may pass through, and change nothing. */
  async #makeFolders({ real, repository }: SafePath, owner: Account): Promise<void> {
    const parts = relative(repository, dirname(real)).split("/").filter(Boolean);
    for (let n = 1; n <= parts.length; n += 1) {
      const folder = [repository, ...parts.slice(0, n)].join("/");
      try {
        await inFolder(dirname(folder), async (opened) => {
          const place = `${opened}/${basename(folder)}`;
          await mkdir(place, { mode: FOLDER_MODE }).catch(async (thrown) => {
            if (codeOf(thrown) !== "EEXIST" || !(await isLeftOurs(place, owner))) throw thrown;
          });
          this.#folders.push(folder);
          const handle = await open(place, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
          try {
            await handle.chmod(FOLDER_MODE);
            await handle.chown(process.getuid?.() ?? 0, owner.gid).catch(() => undefined);
          } finally {
            await handle.close();
          }
        });
      } catch (thrown) {
        if (codeOf(thrown) !== "EEXIST") throw fileFailure(thrown, `make the folder ${folder}`);
      }
    }
  }

  /**
   * Makes a file of QEMU's account at a place where nothing is. `fill` gets it open.
   * @throws HostFailure when something is there, or it cannot be made
   */
  async makeEmptyFile(file: SafePath, owner: Account, fill?: (handle: FileHandle) => Promise<void>): Promise<void> {
    await this.#makeFolders(file, owner);
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    try {
      await inFolder(dirname(file.real), async (opened) => {
        const handle = await open(`${opened}/${basename(file.real)}`, flags, FILE_MODE);
        this.#files.push(file.real);
        try {
          await giveAway(handle, owner);
          await fill?.(handle);
        } finally {
          await handle.close();
        }
      });
    } catch (thrown) {
      throw fileFailure(thrown, `make ${file.real}`);
    }
  }

  /** Makes an empty qcow2 image on top of `backing`. @throws HostFailure; what was made is undone by `undo` */
  async makeImage({ file, backing, virtualSize }: NewImage, owner: Account): Promise<void> {
    await this.makeEmptyFile(file, owner, async (handle) => {
      // Not by its path: QEMU's account may have put a link to another image there by now. `-u`: the backing image is not
      // opened, its path is only written down, and that is relative to where the file lies.
      const made = `/proc/${process.pid}/fd/${handle.fd}`;
      const base = backing === null ? [] : ["-u", "-b", relativeTo(file.real, backing.real), "-F", "qcow2"];
      const args = ["create", "-q", "-f", "qcow2", ...base, "--", made, String(virtualSize)];
      const { code, stderr } = await runTool("qemu-img", args, { timeoutMs: CREATE_TIMEOUT_MS });
      if (code === 0) return;
      const error = typeImageError(stderr);
      throw new HostFailure(error.code === "unreadable" ? { ...error, message: "qemu-img made no image." } : error);
    });
  }

  async undo(): Promise<void> {
    for (const file of this.#files)
      await inFolder(dirname(file), (opened) => unlink(`${opened}/${basename(file)}`)).catch(() => undefined);
    // Whatever else was put into a folder meanwhile keeps it.
    for (const folder of this.#folders.reverse()) await rmdir(folder).catch(() => undefined);
  }
}

/**
 * A folder that an agent made and was killed before it gave it away: nothing is in it, and QEMU's account may not enter
 * it. Left so, no backup of that VM could be made ever after.
 */
async function isLeftOurs(folder: string, owner: Account): Promise<boolean> {
  const found = await lstat(folder).catch(() => null);
  if (!found?.isDirectory() || found.uid !== process.getuid?.()) return false;
  if (found.uid === owner.uid || found.gid === owner.gid) return false;
  return (await readdir(folder).catch(() => ["unknown"])).length === 0;
}

/** The way from one file to another: a repository that moves as a whole stays whole. Never read as a protocol by QEMU. */
function relativeTo(from: string, to: string): string {
  const path = relative(dirname(from), to);
  return path.startsWith("../") ? path : `./${path}`;
}

/** Gives what was just made to QEMU's account; an agent that is not root gives it to QEMU's group, as far as it may. */
async function giveAway(handle: FileHandle, owner: Account): Promise<void> {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return handle.chown(owner.uid, owner.gid);
  if (uid === owner.uid) return;
  // libvirt's own daemon may give the file to QEMU; where nobody does, QEMU says that it may not write.
  await handle.chown(uid, owner.gid).catch(() => undefined);
  await handle.chmod(FILE_MODE | 0o060).catch(() => undefined);
}

/** Bytes that a file takes on its disk; null: it is not there, or not ours to see. */
export async function readAllocated(path: string): Promise<number | null> {
  const found: Stats | null = await lstat(path).catch(() => null);
  return found?.isFile() ? found.blocks * 512 : null;
}

/**
 * Removes one file, and the folders above it that are empty then, up to the repository. Through the folder that was
 * opened: the way to it may be changed meanwhile.
 */
export async function removeFile(file: SafePath): Promise<void> {
  const { real } = file;
  try {
    await inFolder(dirname(real), (opened) => unlink(`${opened}/${basename(real)}`));
  } catch (thrown) {
    if (codeOf(thrown) !== "ENOENT") throw fileFailure(thrown, `remove ${real}`);
  }
  await removeEmptyFolders(file);
}

/** The folders above a file that are empty, up to the repository. */
export async function removeEmptyFolders({ real, repository }: SafePath): Promise<void> {
  for (let folder = dirname(real); folder.length > repository.length; folder = dirname(folder)) {
    try {
      await rmdir(folder);
    } catch (thrown) {
      // Not empty: somebody else's. Not there: it went with another file of the same backup.
      if (codeOf(thrown) !== "ENOENT") return;
    }
  }
}
