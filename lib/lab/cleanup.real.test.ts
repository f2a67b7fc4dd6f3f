import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { attachLab, openLab, removeLab } from "./lab.ts";
import { LockHeldError, takeLock } from "./lock.ts";
import { endProcess, findOwnProcesses, isAlive, type ProcessRef, refOf } from "./processes.ts";
import { readState, updateState } from "./state.ts";
import { until } from "./tools.ts";

let dir: string;
const strangers: ChildProcess[] = [];

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "dl-lab-c-")));
  chmodSync(dir, 0o755);
});
afterEach(async () => {
  await removeLab(dir);
  for (const child of strangers.splice(0)) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

/** A process that is not the lab's, however much its command line looks like it. */
async function startStranger(args: string[] = [], argv0?: string): Promise<ProcessRef> {
  const idle = ["-e", "setInterval(() => {}, 1000)", "--"];
  const child = spawn(process.execPath, [...idle, ...args], { stdio: "ignore", argv0 });
  strangers.push(child);
  await once(child, "spawn");
  return refOf(child.pid ?? 0) ?? expect.fail();
}

async function startAndKillLab(): Promise<ProcessRef[]> {
  const program = fileURLToPath(new URL("./testing/doomed-lab.ts", import.meta.url));
  const child = spawn(process.execPath, [program, dir], { stdio: ["ignore", "pipe", "inherit"] });
  strangers.push(child);
  await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  expect(child.exitCode).toBeNull();
  const left = findOwnProcesses(dir, readState(dir).token);
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  return left;
}

test("after SIGKILL of the lab its next start ends every libvirtd and QEMU of it, and no other process", async () => {
  const left = await startAndKillLab();
  // Two daemons, their two parents, one QEMU: all of them still there.
  expect(left.filter(isAlive).length).toBeGreaterThanOrEqual(5);
  const qemu = attachLab(dir).vm("orphan").process();
  expect(left.map(({ pid }) => pid)).toContain(qemu.pid);
  const key = (root: string) => `{"file":"${root}/h/alpha/cfg/libvirt/qemu/lib/domain-1-x/master-key.aes"}`;
  const strange = [
    await startStranger([`${dir}/lab.json`, "libvirtd", "qemu-system-x86_64", key(dir)]),
    await startStranger(["-object", key(`${dir}-other`)], "/usr/bin/qemu-system-x86_64"),
  ];
  // A recorded number that now belongs to somebody else.
  await updateState(dir, (state) => {
    for (const host of state.hosts) host.daemon = { pid: strange[0]?.pid ?? 0, startTicks: "1" };
  });
  const lab = await openLab({ dir, hosts: ["alpha"] });
  expect(left.filter(isAlive)).toEqual([]);
  expect(strange.every(isAlive)).toBe(true);
  expect(lab.vms).toEqual([]);
  await lab.close();
  expect(strange.every(isAlive)).toBe(true);
  expect(readdirSync(dir)).toEqual(["lab.lock"]);
});

test("a lab that was left up refuses a second start, and goes when it is taken down", async () => {
  const lab = await openLab({ dir, hosts: ["alpha"] });
  await lab.detach();
  await expect(openLab({ dir, hosts: ["alpha"] })).rejects.toThrow(/left up/);
  expect(await attachLab(dir).host("alpha").connectable()).toBe(true);
  const left = findOwnProcesses(dir, readState(dir).token);
  await removeLab(dir);
  expect(left.filter(isAlive)).toEqual([]);
  expect(existsSync(join(dir, "h"))).toBe(false);
});

test("a private directory is refused with the reason where the daemons run as another account, else it will do", async () => {
  chmodSync(dir, 0o700);
  const opening = openLab({ dir, hosts: ["alpha"] });
  if (process.getuid?.() === 0) await expect(opening).rejects.toThrow(/closed to the account/);
  else await (await opening).close();
});

test("a directory whose path is too long for QEMU's monitor socket is refused before anything starts", async () => {
  const long = join(dir, "x".repeat(40));
  await expect(openLab({ dir: long, hosts: ["alpha"] })).rejects.toThrow(/characters too long/);
});

test("a process with the number of an ended one is not ended in its place", async () => {
  const stranger = await startStranger();
  await endProcess({ pid: stranger.pid, startTicks: "1" });
  expect(isAlive(stranger)).toBe(true);
});

test("SIGKILL of a lock's holder gives the lock back", async () => {
  const path = join(dir, "x.lock");
  const code = `const { takeLock } = await import(${JSON.stringify(new URL("./lock.ts", import.meta.url).href)});
    await takeLock(process.argv[1]); process.stdout.write("held"); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", code, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  strangers.push(holder);
  await once(holder.stdout, "data");
  await expect(takeLock(path)).rejects.toThrow(LockHeldError);
  holder.kill("SIGKILL");
  const lock = await until("the lock", 5_000, () => takeLock(path).catch(() => null));
  await lock.release();
});
