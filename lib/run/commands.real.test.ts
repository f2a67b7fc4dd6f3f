/** The commands themselves, as a person types them: of package.json, and of the lab. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { removeLab } from "#lab/lab.ts";
import { SCENARIOS } from "#lab/scenarios/index.ts";
import { ensureBuild, root } from "./build.ts";
import { startSimulation } from "./simulation.ts";

const READY_WITHIN_MS = 60_000;
let dir: string;
const running: ChildProcess[] = [];

beforeAll(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "dl-cmd-")));
  chmodSync(dir, 0o755);
});
afterAll(async () => {
  for (const child of running) child.kill("SIGTERM");
  await removeLab(join(dir, "lab"));
  rmSync(dir, { recursive: true, force: true });
});

/** Starts an npm script and answers with the address that it prints when it is up. */
async function start(args: string[], env: Record<string, string>): Promise<{ npm: ChildProcess; url: string }> {
  const npm = spawn("npm", ["run", ...args], { cwd: root, env: { ...process.env, ...env }, stdio: "pipe" });
  running.push(npm);
  let said = "";
  const url = await new Promise<string>((resolve, reject) => {
    const fail = () => reject(new Error(`npm run ${args.join(" ")} did not come up:\n${said}`));
    const timer = setTimeout(fail, READY_WITHIN_MS);
    npm.once("exit", fail);
    for (const stream of [npm.stdout, npm.stderr])
      stream?.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        const address = /ready(?: at|:) (http:\S+)/.exec(said)?.[1];
        if (!address) return;
        clearTimeout(timer);
        resolve(address);
      });
  });
  return { npm, url };
}

async function expectEnds({ npm, url }: { npm: ChildProcess; url: string }): Promise<void> {
  const gone = once(npm, "exit");
  npm.kill("SIGTERM");
  await gone;
  // npm does not wait for what it ends.
  const isUp = () =>
    fetch(`${url}/healthz`).then(
      () => true,
      () => false,
    );
  await expect.poll(isUp, { timeout: READY_WITHIN_MS }).toBe(false);
}

test("npm run agent comes up, answers its health call and ends on SIGTERM", async () => {
  const [host] = startSimulation(join(dir, "simulated"));
  const config = join(dir, "agent.json");
  const listen = { name: "alpha", listen: "127.0.0.1:0", tls: null, repositories: [], tokenSha256: ["0".repeat(64)] };
  writeFileSync(config, JSON.stringify({ ...listen, libvirtUri: host?.libvirtUri }));
  const agent = await start(["agent", "--", "--config", config], {});
  expect((await fetch(`${agent.url}/healthz`)).status).toBe(200);
  await expectEnds(agent);
});

test("npm start comes up with a database of its own, answers its health and readiness calls and ends on SIGTERM", async () => {
  await ensureBuild();
  const env = { HOST: "127.0.0.1", PORT: "0", DRIFTLINE_DATA_DIR: join(dir, "data"), DATABASE_URL: "" };
  const web = await start(["start"], env);
  for (const path of ["healthz", "readyz"]) expect((await fetch(`${web.url}/${path}`)).status, path).toBe(200);
  await expectEnds(web);
}, 300_000);

test("the lab's commands bring it up, make a drift, take it back and take the lab down", async () => {
  const cli = async (...args: string[]) => {
    const command = ["lib/lab/cli.ts", ...args, "--dir", join(dir, "lab")];
    return (await promisify(execFile)(process.execPath, command, { cwd: root })).stdout;
  };
  expect(await cli("up", "--hosts", "1")).toMatch(/^alpha {2}qemu\+unix:\/\/\/session\?socket=\/\S+\n$/);
  const listed = (await cli("scenarios")).trim().split("\n");
  expect(listed.map((line) => line.split(" ")[0])).toEqual(SCENARIOS.map(({ name }) => name));
  const made = JSON.parse(await cli("apply", "checkpoint-dropped"));
  expect(made).toMatchObject({ vm: "checkpoint-dropped", host: "alpha", expected: [{ kind: "metadata.missing" }] });
  expect(made.record.map(({ id }: { id: string }) => id)).toEqual(["cp1", "cp2", "cp3", "cp4"]);
  expect(await cli("list")).toBe("checkpoint-dropped\n");
  expect(await cli("status")).toMatch(/^checkpoint-dropped {2}\S+ {2}on alpha, running, carries checkpoint-dropped$/m);
  await cli("undo", "checkpoint-dropped");
  expect(await cli("status")).toMatch(/^checkpoint-dropped {2}\S+ {2}on alpha, running$/m);
  await cli("down");
  await expect(cli("status")).rejects.toThrow(/There is no lab in/);
});
