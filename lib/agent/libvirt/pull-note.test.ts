import { chownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readNote, writeNote } from "./pull-note.ts";

const NOTE = { uri: "qemu:///session", vmId: "vm", socketPath: "/run/nbd.sock", agent: "1-2" };
let folder: string;
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pull-note-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("what an agent wrote down is read again", async () => {
  await writeNote(folder, NOTE);
  expect(await readNote(folder)).toEqual(NOTE);
});

it("no note, and none that can be understood, are the same: nothing to end", async () => {
  expect(await readNote(folder)).toBeNull();
  writeFileSync(at("job.json"), "{");
  expect(await readNote(folder)).toBeNull();
  writeFileSync(at("job.json"), JSON.stringify({ ...NOTE, vmId: 1 }));
  expect(await readNote(folder)).toBeNull();
});

it("a link in the note's place is neither read nor written through", async () => {
  writeFileSync(at("elsewhere"), JSON.stringify(NOTE));
  symlinkSync(at("elsewhere"), at("job.json"));
  expect(await readNote(folder)).toBeNull();
  await expect(writeNote(folder, NOTE)).rejects.toThrow("EEXIST");
});

it.runIf(process.getuid?.() === 0)("a note that another account made up is not believed", async () => {
  await writeNote(folder, NOTE);
  chownSync(at("job.json"), 65_534, 65_534);
  expect(await readNote(folder)).toBeNull();
});
