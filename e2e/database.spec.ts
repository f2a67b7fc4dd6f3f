/** The database is away for longer than a restart takes: killed with its files out of reach, or alive and silent. */
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "@playwright/test";
import { expectCannotTell, expectRecovered, openWatched, type Watched } from "./outage.ts";

const lockFile = () => process.env.DRIFTLINE_E2E_POSTMASTER ?? "";
const postmaster = () => Number(readFileSync(lockFile(), "utf8").split("\n")[0]);
/** The server and its processes, each of which serves one connection. */
const signalAll = (signal: string) => {
  const pid = `${postmaster()}`;
  const children = execFileSync("ps", ["-o", "pid=", "--ppid", pid], { encoding: "utf8" }).trim().split(/\s+/);
  for (const one of [pid, ...children]) process.kill(Number(one), signal as NodeJS.Signals);
};

let watched: Watched;
test.describe.configure({ mode: "serial", timeout: 150_000 });
test.beforeEach(async ({ page }) => {
  watched = await openWatched(page);
});

test("a database that is killed and stays away makes the pages cannot tell, and they recover when it is back", async ({
  page,
}) => {
  const folder = dirname(lockFile());
  const pid = postmaster();
  const web = await (await page.request.get("/healthz")).text();
  renameSync(folder, `${folder}.away`);
  try {
    process.kill(pid, "SIGKILL");
    await expectCannotTell(watched, Date.now(), /^What is shown is old: /);
    expect((await page.request.get("/readyz")).status()).toBe(503);
    expect(await (await page.request.get("/healthz")).text()).toBe(web);
  } finally {
    renameSync(`${folder}.away`, folder);
  }
  await expectRecovered(watched);
});

test("a database that hangs makes the pages cannot tell, and they recover when it answers again", async () => {
  signalAll("SIGSTOP");
  try {
    await expectCannotTell(watched, Date.now(), /^What is shown is old: /);
  } finally {
    signalAll("SIGCONT");
  }
  await expectRecovered(watched);
});
