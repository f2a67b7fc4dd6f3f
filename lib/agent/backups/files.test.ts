/** Somebody else who may write to a repository swaps what is there between the agent's look and its deed. */
import { execFile } from "node:child_process";
import {
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { discardFiles } from "./discard.ts";
import { MadeFiles, removeFile } from "./files.ts";
import { Notes } from "./note.ts";
import { checkFile, checkNewFile, checkRemovable, type SafePath } from "./paths.ts";
import { TemporaryFiles } from "./verify/temporary.ts";

const run = promisify(execFile);
const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const isRoot = own.uid === 0;
const nobody = { uid: 65_534, gid: 65_534 };

let folder: string;
let repository: string;
let outside: string;
const at = (path: string): string => join(repository, path);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dl-files-"));
  repository = join(folder, "repository");
  outside = join(folder, "outside");
  mkdirSync(at("vm"), { recursive: true });
  mkdirSync(outside);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Check = (repositories: readonly string[], path: string) => ReturnType<typeof checkFile>;
async function checked(check: Check, path: string): Promise<SafePath> {
  const found = await check([repository], at(path));
  if (!found.ok) throw new Error(found.reason);
  return found.at;
}
/** The folder is moved away and a link to elsewhere put in its place. */
function swap(path: string): void {
  renameSync(at(path), join(folder, "moved"));
  symlinkSync(outside, at(path));
}

describe("a link in the place of a folder", () => {
  it("that was checked leads no new file elsewhere, not even an empty one", async () => {
    const file = await checked(checkNewFile, "vm/new.qcow2");
    swap("vm");
    await expect(new MadeFiles().makeEmptyFile(file, own)).rejects.toThrow();
    expect(readdirSync(outside)).toEqual([]);
  });

  it("leads no new folder elsewhere", async () => {
    const file = await checked(checkNewFile, "vm/deep/er/new.qcow2");
    swap("vm");
    await expect(new MadeFiles().makeEmptyFile(file, own)).rejects.toThrow();
    expect(readdirSync(outside)).toEqual([]);
  });

  it("leads no removal elsewhere, neither of an old file nor of one that was just made", async () => {
    writeFileSync(at("vm/old.qcow2"), "x");
    const file = await checked(checkRemovable, "vm/old.qcow2");
    const made = new MadeFiles();
    await made.makeEmptyFile(await checked(checkNewFile, "vm/new.qcow2"), own);
    swap("vm");
    for (const name of ["old.qcow2", "new.qcow2"]) writeFileSync(join(outside, name), "of somebody else");
    await expect(removeFile(file)).rejects.toThrow();
    await made.undo();
    expect(readdirSync(outside).sort()).toEqual(["new.qcow2", "old.qcow2"]);
  });
});

describe("something in the place of a file", () => {
  it("that is to be made, link, FIFO or file, is refused and stays as it is", async () => {
    writeFileSync(join(outside, "victim"), "of somebody else");
    await run("mkfifo", [join(outside, "fifo")]);
    for (const plant of [
      (path: string) => symlinkSync(join(outside, "victim"), path),
      (path: string) => symlinkSync(join(outside, "not-there"), path),
      (path: string) => linkSync(join(outside, "victim"), path),
      (path: string) => linkSync(join(outside, "fifo"), path),
    ]) {
      const file = await checked(checkNewFile, "vm/new.qcow2");
      plant(file.real);
      const before = lstatSync(file.real);
      const made = new MadeFiles();
      await expect(made.makeEmptyFile(file, own)).rejects.toThrow();
      await made.undo();
      expect(lstatSync(file.real).ino).toBe(before.ino);
      unlinkSync(file.real);
    }
    expect(readFileSync(join(outside, "victim"), "utf8")).toBe("of somebody else");
    expect(readdirSync(outside).sort()).toEqual(["fifo", "victim"]);
  });

  it("that was just made is not written through by the image's tool: it writes into what was made", async () => {
    writeFileSync(join(outside, "victim"), "of somebody else");
    const file = await checked(checkNewFile, "vm/new.qcow2");
    const kept = join(folder, "kept");
    class Swapping extends MadeFiles {
      override makeEmptyFile(...[where, owner, fill]: Parameters<MadeFiles["makeEmptyFile"]>): Promise<void> {
        return super.makeEmptyFile(where, owner, async (handle) => {
          renameSync(where.real, kept);
          symlinkSync(join(outside, "victim"), where.real);
          await fill?.(handle);
        });
      }
    }
    await new Swapping().makeImage({ file, backing: null, virtualSize: 2 ** 20 }, own);
    expect(readFileSync(join(outside, "victim"), "utf8")).toBe("of somebody else");
    expect(readFileSync(kept).subarray(0, 4).toString("hex")).toBe("514649fb");
  });

  it("that is to be read or removed is refused unless it is a regular file", async () => {
    await run("mkfifo", [at("vm/fifo")]);
    symlinkSync("/dev/zero", at("vm/device"));
    for (const check of [checkFile, checkRemovable])
      for (const name of ["fifo", "device"])
        expect(await check([repository], at(`vm/${name}`))).toEqual({ ok: false, reason: "is not a regular file" });
  });

  it("that has a second name elsewhere loses the name in the repository only", async () => {
    writeFileSync(join(outside, "victim"), "of somebody else");
    linkSync(join(outside, "victim"), at("vm/linked"));
    await discardFiles([repository], { paths: [at("vm/linked")] }, async () => [false]);
    expect(existsSync(at("vm/linked"))).toBe(false);
    expect(readFileSync(join(outside, "victim"), "utf8")).toBe("of somebody else");
  });

  it("of which one path is not to be touched is not removed beside it, and a file in use neither", async () => {
    writeFileSync(at("vm/a"), "x");
    writeFileSync(at("vm/b"), "x");
    const paths = [at("vm/a"), join(outside, "b")];
    await expect(discardFiles([repository], { paths }, async () => [false, false])).rejects.toMatchObject({
      errors: [{ field: "paths[1]" }],
    });
    const both = [at("vm/a"), at("vm/b")];
    await expect(discardFiles([repository], { paths: both }, async () => [false, true])).rejects.toMatchObject({
      code: "conflict",
    });
    expect(readdirSync(at("vm"))).toEqual(["a", "b"]);
  });
});

it("an image's backing file is written down relative to where the image lies, and not opened", async () => {
  writeFileSync(at("vm/full.qcow2"), "not an image at all");
  const file = await checked(checkNewFile, "vm/2/top.qcow2");
  const backing = await checked(checkFile, "vm/full.qcow2");
  await new MadeFiles().makeImage({ file, backing, virtualSize: 2 ** 20 }, own);
  const { stdout } = await run("qemu-img", ["info", "--output=json", "-U", file.real]);
  expect(JSON.parse(stdout)).toMatchObject({ "backing-filename": "../full.qcow2", "backing-filename-format": "qcow2" });
});

it.runIf(isRoot)("QEMU's account gets the files, and may not put others into their folders", async () => {
  const file = await checked(checkNewFile, "vm/run/1/vda.qcow2");
  await new MadeFiles().makeEmptyFile(file, nobody);
  expect(statSync(file.real)).toMatchObject({ uid: nobody.uid, gid: nobody.gid });
  for (const path of ["vm/run", "vm/run/1"]) {
    const { uid, gid, mode } = statSync(at(path));
    expect({ uid, gid, mode: mode & 0o777 }).toEqual({ uid: 0, gid: nobody.gid, mode: 0o750 });
  }
});

describe("the agent's own folder", () => {
  const note = {
    ...{ version: 1 as const, uri: "test:///x", vmId: "vm", runtimeId: "r", checkpointId: null, disks: [], askedAt: 1 },
    ...{ isBegun: true, seenAt: 1, totalBytes: null, abortedAt: null, strandedAt: null, end: null },
  };
  const temporary = () => new TemporaryFiles("test:///x", "1-1", () => true);

  it("holds notes and temporary files that nobody else may read", async () => {
    const notes = new Notes([repository], "test:///x");
    await notes.write(repository, note);
    expect(await notes.find("vm")).toMatchObject({ note: { vmId: "vm" } });
    expect(await notes.unfinished()).toEqual(["vm"]);
    expect(statSync(at(".driftline")).mode & 0o777).toBe(0o700);
    await temporary().with(repository, async (path) => writeFileSync(path, "x"));
    expect(readdirSync(at(".driftline/tmp"))).toEqual([]);
  });

  it.each([".driftline", ".driftline/jobs"])(
    "is not used where %s is a link: nothing is written elsewhere",
    async (name) => {
      if (name !== ".driftline") mkdirSync(at(".driftline"));
      symlinkSync(outside, at(name));
      const notes = new Notes([repository], "test:///x");
      await expect(notes.write(repository, note)).rejects.toThrow("remove it");
      if (name === ".driftline")
        await expect(temporary().with(repository, async () => {})).rejects.toThrow("remove it");
      expect(readdirSync(outside)).toEqual([]);
    },
  );

  it.runIf(isRoot)("is not used where another account made it: what it says is made up", async () => {
    const notes = new Notes([repository], "test:///x");
    await notes.write(repository, note);
    chownSync(at(".driftline"), nobody.uid, nobody.gid);
    expect(await notes.find("vm")).toBeNull();
    expect(await notes.unfinished()).toEqual([]);
    await expect(notes.write(repository, note)).rejects.toThrow("remove it");
  });
});
