import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LockHeldError, takeLock } from "#lab/lock.ts";
import { openDemoHosts } from "./demo-hosts.ts";

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "dl-demo-")));
  chmodSync(dir, 0o755);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

/** Puts a libvirtd before the machine's own that ends as `script` does. */
function stubLibvirtd(script: string): void {
  const bin = join(dir, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "libvirtd"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  vi.stubEnv("PATH", `${bin}${delimiter}${process.env.PATH}`);
}

test("a libvirt that is installed and cannot start gives simulated hosts, with the reason in its own words", async () => {
  stubLibvirtd('echo "error: failed to open /dev/urandom: Operation not permitted" >&2; exit 6');
  const said: string[] = [];
  const { lab, hosts } = await openDemoHosts(dir, (line) => said.push(line));
  expect(lab).toBeNull();
  expect(hosts.map(({ libvirtUri }) => libvirtUri)).toEqual(
    ["alpha", "beta"].map((name) => `sim://${dir}/simulated/${name}.json`),
  );
  expect(said.join("\n")).toContain("failed to open /dev/urandom: Operation not permitted");
  expect(said.at(-1)).toContain("SIMULATED");
});

test("a demo that runs already is said, and nothing is simulated in its place", async () => {
  mkdirSync(join(dir, "lab"));
  const lock = await takeLock(join(dir, "lab", "lab.lock"));
  await expect(openDemoHosts(dir, () => {})).rejects.toThrow(LockHeldError);
  await lock.release();
});
