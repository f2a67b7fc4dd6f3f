/**
 * `npm test`: everything that must hold, in the order in which it fails fastest. Prints each step's time, goes on
 * after a failure so that one run tells all, and ends red when any step did.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "./build.ts";
import { BENCH_NEEDS, BROWSER_NEEDS, ensurePackages, FOREIGN_TOOL_NEEDS, HOST_NEEDS } from "./packages.ts";

type Step = { name: string; command: string; args: string[] };
const bin = (name: string) => join(root, "node_modules/.bin", name);
const STATIC: Step[] = [
  { name: "types", command: bin("tsc"), args: ["--noEmit"] },
  { name: "lint", command: bin("biome"), args: ["check", "."] },
  { name: "dependency rules", command: bin("depcruise"), args: ["lib", "app", "components", "e2e"] },
  { name: "unused code", command: bin("knip"), args: [] },
  { name: "licences", command: process.execPath, args: ["lib/run/licences.ts"] },
  { name: "unit", command: bin("vitest"), args: ["run", "--project", "unit"] },
];
const REAL: Step[] = [
  { name: "real hosts and database", command: bin("vitest"), args: ["run", "--project", "real"] },
  { name: "browser journeys", command: bin("playwright"), args: ["test"] },
];

async function runStep(step: Step): Promise<{ name: string; ok: boolean; seconds: number }> {
  const started = Date.now();
  console.log(`\n── ${step.name}`);
  const code = await new Promise<number | null>((resolve) => {
    const child = spawn(step.command, step.args, { cwd: root, stdio: "inherit", env: process.env });
    child.on("error", (error) => {
      console.error(error.message);
      resolve(127);
    });
    child.on("close", resolve);
  });
  return { name: step.name, ok: code === 0, seconds: (Date.now() - started) / 1000 };
}

const missing = ensurePackages([...HOST_NEEDS, ...FOREIGN_TOOL_NEEDS, ...BROWSER_NEEDS, ...BENCH_NEEDS]);
if (missing.length > 0) {
  console.error(`driftline: cannot test without ${missing.map((need) => need.what).join(", ")}`);
  process.exit(1);
}
const results: Awaited<ReturnType<typeof runStep>>[] = [];
for (const step of [...STATIC, ...REAL]) results.push(await runStep(step));
console.log("");
for (const { name, ok, seconds } of results)
  console.log(`${ok ? "passed" : "FAILED"}  ${seconds.toFixed(1).padStart(6)} s  ${name}`);
const failed = results.filter((result) => !result.ok).length;
console.log(`steps: ${results.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
