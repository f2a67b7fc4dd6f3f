import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pidFolderOf, RuntimeIds, readStartTime } from "./runtime-id.ts";

const NOBODY = 65_534;
const ownUid = process.getuid?.() ?? 0;

describe("the process of a running domain", () => {
  const vmId = randomUUID();
  const run = { vmId, name: "guest", domainId: 7 };
  let folder: string;
  let uri: string;
  let ids: RuntimeIds;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "dl-run-"));
    mkdirSync(join(folder, "qemu", "run"), { recursive: true });
    uri = `qemu+unix:///session?socket=${join(folder, "libvirt-sock")}`;
    ids = new RuntimeIds(uri);
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  /** A process that bears the domain's UUID like a QEMU; it answers once it does. */
  async function claim(uid = ownUid, more: string[] = []): Promise<number> {
    const args = ["-c", "echo; read -r _", "-uuid", vmId, ...more];
    const child = spawn("sh", args, { argv0: "qemu-system-x86_64", stdio: ["pipe", "pipe", "ignore"], uid });
    children.push(child);
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    return child.pid ?? 0;
  }
  const noteProcess = (pid: number): void => writeFileSync(join(folder, "qemu", "run", "guest.pid"), `${pid}\n`);
  const idOf = (pid: number): RegExp => new RegExp(`^${pid}-${readStartTime(pid)}-`);

  it("is the one that libvirt notes, whatever else bears its UUID, and however near its folder", async () => {
    await claim(ownUid, ["-name", `${join(folder, "libvirt-sock")}/`]);
    const real = await claim();
    noteProcess(real);
    expect(ids.findProcess(run)).toMatchObject({ pid: real, uid: ownUid });
    expect(ids.find(run)).toMatch(idOf(real));
  });

  it("is found by its arguments where libvirt notes none, or one that is not its QEMU any more", async () => {
    const real = await claim();
    expect(ids.find(run)).toMatch(idOf(real));
    noteProcess(process.pid);
    expect(new RuntimeIds(uri).find(run)).toMatch(idOf(real));
  });

  // Only root can start a process as another account.
  it.runIf(ownUid === 0)("is not known where several accounts claim it, and nobody guesses", async () => {
    const [first, second] = [await claim(NOBODY), await claim()];
    expect(ids.find(run)).toMatch(/^domain-7-/);
    expect(() => ids.findProcess(run)).toThrow(
      expect.objectContaining({
        error: expect.objectContaining({
          code: "permission-denied",
          hostMessage: expect.stringContaining(`process ${first} of user ${NOBODY}`),
        }),
      }),
    );
    noteProcess(second);
    expect(ids.findProcess(run)).toMatchObject({ pid: second, uid: 0 });
  });

  it.runIf(ownUid === 0)(
    "is looked for anew in the next run: who claimed the UUID before it is not taken for it",
    async () => {
      await claim(NOBODY);
      expect(ids.findProcess({ ...run, domainId: null })).toMatchObject({ uid: NOBODY });
      const real = await claim();
      ids.beginRequest();
      expect(() => ids.findProcess(run)).toThrow(/several accounts/);
      noteProcess(real);
      expect(ids.findProcess(run)).toMatchObject({ pid: real, uid: 0 });
    },
  );

  it("is looked for anew when it has ended within the same request", async () => {
    const first = await claim();
    expect(ids.find(run)).toMatch(idOf(first));
    const gone = new Promise((resolve) => children[0]?.once("exit", resolve));
    children[0]?.kill("SIGKILL");
    await gone;
    const second = await claim();
    expect(ids.find(run)).toMatch(idOf(second));
  });
});

describe("the folder in which libvirt notes processes", () => {
  it.each([
    ["qemu:///system", "/run/libvirt/qemu"],
    ["qemu+unix:///system?socket=/run/libvirt/virtqemud-sock", "/run/libvirt/qemu"],
    ["qemu+unix:///session?socket=/run/user/1000/libvirt/libvirt-sock", "/run/user/1000/libvirt/qemu/run"],
    ["qemu:///embed?root=/srv/embedded", "/srv/embedded/run/qemu"],
    ["qemu+ssh://elsewhere/system", null],
    ["test:///default", null],
  ])("of %s is %s", (uri, folder) => {
    expect(pidFolderOf(uri)).toBe(folder);
  });
});
