import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkFile, checkNewFile, checkRemovable } from "./paths.ts";

describe("paths of backups", () => {
  let folder: string;
  let repository: string;
  const at = (path: string): string => join(repository, path);
  const reasonOf = async (path: string, check = checkNewFile): Promise<string | null> => {
    const checked = await check([repository], path);
    return checked.ok ? null : checked.reason;
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "dl-paths-"));
    repository = join(folder, "repository");
    mkdirSync(at("vm/run"), { recursive: true });
    mkdirSync(join(folder, "repository-2"));
    writeFileSync(at("vm/full.qcow2"), "x");
    symlinkSync(folder, at("out"));
    symlinkSync("vm", at("inside"));
    symlinkSync("/nowhere/at/all", at("dangling"));
    symlinkSync("circle", at("circle"));
    symlinkSync(at("vm/full.qcow2"), at("vm/link.qcow2"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("may lie in folders that are there and in such that are not yet", async () => {
    for (const path of ["a.qcow2", "vm/b.qcow2", "new/deep/er/c.qcow2", "..a/..qcow2"]) {
      expect(await checkNewFile([repository], at(path))).toEqual({
        ok: true,
        at: { path: at(path), real: at(path), repository },
      });
    }
  });

  it("are resolved through a link that stays inside", async () => {
    expect(await checkNewFile([repository], at("inside/new/b.qcow2"))).toMatchObject({
      ok: true,
      at: { real: at("vm/new/b.qcow2") },
    });
  });

  it.each([
    ["vm/../../x", "has '..' in it"],
    ["../repository/x", "has '..' in it"],
    ["out/x", "leaves its repository through a link"],
    ["out/repository-2/deep/x", "leaves its repository through a link"],
    ["dangling/x", "goes through a link that leads nowhere, or its repository is not there"],
    ["circle/x", "goes through links that lead in a circle"],
    ["vm/full.qcow2/x", "goes through something that is not a folder"],
    ["vm/full.qcow2", "exists already"],
    ["vm/link.qcow2", "exists already"],
    ["dangling", "exists already"],
    [".driftline/x", "is inside .driftline, which is the agent's own"],
    [".driftline", "is inside .driftline, which is the agent's own"],
    ["vm//x", "has an empty part or '.' in it"],
    ["vm/./x", "has an empty part or '.' in it"],
    ["vm/x/", "has an empty part or '.' in it"],
    ["vm/a\nb", "has a control character"],
  ])("refuses %j: %s", async (path, reason) => {
    expect(await reasonOf(`${repository}/${path}`)).toBe(reason);
  });

  it("refuses a neighbour whose name begins like the repository's, and the repository itself", async () => {
    for (const path of [`${repository}-2/x`, repository, "/etc/passwd", "relative"]) {
      expect(await reasonOf(path)).toMatch(/^is not/);
    }
  });

  it("reads and removes regular files only, never what a link points to", async () => {
    expect(await reasonOf(at("vm/full.qcow2"), checkFile)).toBeNull();
    for (const check of [checkFile, checkRemovable]) {
      expect(await reasonOf(at("vm/link.qcow2"), check)).toBe("is not a regular file");
      expect(await reasonOf(at("vm"), check)).toBe("is not a regular file");
    }
    expect(await reasonOf(at("vm/none.qcow2"), checkFile)).toBe("does not exist");
    expect(await checkRemovable([repository], at("vm/none.qcow2"))).toMatchObject({ ok: true, isAbsent: true });
  });
});
