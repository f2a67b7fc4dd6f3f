/**
 * `npm run demo`: two real libvirt hosts on this machine with VMs in every state, an agent for each, the embedded
 * database and the web app. Where libvirt cannot be had: simulated hosts, and a banner that says so. Ctrl-C ends all.
 * It shows drift, so it leaves redefining to the person in front of it; `DRIFTLINE_DEMO_REDEFINE=auto` shows what an
 * installation does by default.
 */
import { mkdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Lab } from "#lab/lab.ts";
import { connectEngine } from "./api.ts";
import { ensureBuild } from "./build.ts";
import { openDemoHosts } from "./demo-hosts.ts";
import { ensurePackages, FOREIGN_TOOL_NEEDS } from "./packages.ts";
import { prepareShowcase, showcaseOf } from "./showcase.ts";
import { type Stack, startStack } from "./stack.ts";

const say = (line: string) => console.log(line);
const dir = join(realpathSync(tmpdir()), `driftline-demo-${process.getuid?.() ?? 0}`);
const port = Number(process.env.PORT || "3000");

let lab: Lab | null = null;
let stack: Stack | null = null;
let ending = false;
async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  say("\ndriftline: taking the demo down");
  await stack?.stop().catch((error: Error) => console.error(error.message));
  await lab?.close().catch((error: Error) => console.error(error.message));
  rmSync(join(dir, "stack"), { recursive: true, force: true });
  process.exit(code);
}
process.on("SIGINT", () => void end(130));
process.on("SIGTERM", () => void end(143));

try {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  rmSync(join(dir, "stack"), { recursive: true, force: true });
  await ensureBuild();
  const opened = await openDemoHosts(dir, say);
  lab = opened.lab;
  stack = await startStack({
    dir: join(dir, "stack"),
    hosts: opened.hosts,
    port,
    policy: { redefineOnStart: process.env.DRIFTLINE_DEMO_REDEFINE === "auto" ? "auto" : "ask" },
    log: process.env.DRIFTLINE_VERBOSE ? say : undefined,
  });
  if (lab) {
    const hasForeignTool = ensurePackages(FOREIGN_TOOL_NEEDS).length === 0;
    const entries = showcaseOf(lab).filter((entry) => hasForeignTool || !entry.scenario.startsWith("foreign-tool"));
    say(`driftline: making ${entries.length} VMs and their drift with the real tools`);
    if (!lab.canMigrate) say("  no live migration: this machine gives the hosts no hostnames of their own");
    await prepareShowcase(lab, connectEngine(stack.url, stack.apiKey), { entries, say: (line) => say(`  ${line}`) });
  }
  say(`
  Driftline   ${stack.url}
  sign in     ${stack.email}
  password    ${stack.password}
  API key     ${stack.apiKey}
  ${lab ? `drift       node_modules/.bin/node lib/lab/cli.ts scenarios --dir ${join(dir, "lab")}` : "hosts       SIMULATED"}

  Ctrl-C takes everything down.`);
} catch (error) {
  console.error(`driftline: the demo could not start: ${(error as Error).message}`);
  await end(1);
}
