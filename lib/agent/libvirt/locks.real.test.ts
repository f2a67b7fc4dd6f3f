import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../testing/until.ts";
import { probeWriter } from "./locks.ts";

let dir: string;
let image: string;
const holders: ChildProcess[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "dl-locks-"));
  image = join(dir, "disk.qcow2");
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image, "1M"]);
});
afterEach(async () => {
  await release();
  rmSync(dir, { recursive: true, force: true });
});

async function release(): Promise<void> {
  for (const holder of holders.splice(0)) {
    const gone = new Promise((resolve) => holder.once("exit", resolve));
    holder.kill("SIGKILL");
    await gone;
  }
}

async function hold(args: string[]): Promise<void> {
  const socket = join(dir, `${args[0]}.sock`);
  holders.push(spawn("qemu-nbd", ["-k", socket, "-t", ...args], { stdio: "ignore" }));
  await until("qemu-nbd to hold the image", 10_000, () => existsSync(socket) || null);
}

test("an image that nobody has open is free, one with a writer is held, one with readers only is free", async () => {
  expect(probeWriter(image)).toBe("free");
  await hold(["-r", "-f", "qcow2", image]);
  expect(probeWriter(image)).toBe("free");
  await release();
  await hold(["-f", "qcow2", image]);
  // qemu-nbd listens before it takes the right to write.
  await until("the writer to be seen", 10_000, () => probeWriter(image) === "held" || null);
});

test("asking leaves no lock behind, not even while it is asked again and again", () => {
  const inode = `:${statSync(image).ino} `;
  for (let i = 0; i < 200; i++) {
    expect(probeWriter(image)).toBe("free");
    expect(readFileSync("/proc/locks", "utf8")).not.toContain(inode);
  }
});

test("what cannot be asked is unknown and never free", () => {
  expect(probeWriter(join(dir, "absent"))).toBe("unknown");
  expect(probeWriter("")).toBe("unknown");
});
