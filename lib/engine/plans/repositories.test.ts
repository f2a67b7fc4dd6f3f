import { expect, test } from "vitest";
import type { PlanRequest } from "#chain/plan/model.ts";
import { isInside, refuseRepository } from "./repositories.ts";

const backup = (repository: string | null): PlanRequest => ({
  intent: "backup",
  mode: "auto",
  disks: null,
  repository,
});
const fieldsOf = (repository: string | null, repositories = ["/srv/backup", "/mnt/two/"]) =>
  refuseRepository(backup(repository), repositories).map((refusal) => refusal.field);

test("a repository of the host and what lies in it are taken, with or without a slash at its end", () => {
  for (const good of [null, "/srv/backup", "/srv/backup/", "/mnt/two", "/srv/backup/team a"])
    expect(fieldsOf(good)).toEqual([]);
});

test("whatever leaves the repositories is refused and the field is named", () => {
  for (const bad of [
    "/srv/backup/../etc",
    "/srv/backup/..",
    "..",
    "/etc",
    "/srv/backups",
    "srv/backup",
    "/",
    "/srv/backup/./x",
  ])
    expect(fieldsOf(bad), bad).toEqual(["repository"]);
});

test("a host without a repository refuses every backup, and nothing else", () => {
  expect(fieldsOf(null, [])).toEqual([null]);
  expect(refuseRepository({ intent: "redefine", mode: "salvage" }, [])).toEqual([]);
});

test("a file is inside by whole names, not by their beginnings", () => {
  expect(isInside("/srv/backup", "/srv/backup/vm/cp1/vda.qcow2")).toBe(true);
  expect(isInside("/srv/backup", "/srv/backup-old/vda.qcow2")).toBe(false);
  expect(isInside("/srv/backup", "/srv/backup/../other/vda.qcow2")).toBe(false);
});
