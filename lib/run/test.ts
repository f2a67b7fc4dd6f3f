/**
 * `npm test`: everything that must hold, in the order in which it fails fastest. Prints each step's time, goes on
 * after a failure so that one run tells all, and ends red when any step did.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { NOT_ASKED } from "./advisories.ts";
import { root } from "./build.ts";
import { BENCH_NEEDS, BROWSER_NEEDS, ensurePackages, FOREIGN_TOOL_NEEDS, HOST_NEEDS } from "./packages.ts";
import { findSecondTry } from "./second-try.ts";

/** `mayBeUnasked`: it asks somebody who may not answer, and says so by an exit code of its own. */
type Step = { name: string; command: string; args: string[]; mayBeUnasked?: boolean };
const bin = (name: string) => join(root, "node_modules/.bin", name);
const STATIC: Step[] = [
  { name: "types", command: bin("tsc"), args: ["--noEmit"] },
  { name: "lint", command: bin("biome"), args: ["check", "."] },
  { name: "dependency rules", command: bin("depcruise"), args: ["lib", "app", "components", "e2e"] },
  { name: "unused code", command: bin("knip"), args: [] },
  { name: "licences", command: process.execPath, args: ["lib/run/licences.ts"] },
  { name: "advisories", command: process.execPath, args: ["lib/run/advisories.ts"], mayBeUnasked: true },
  { name: "unit", command: bin("vitest"), args: ["run", "--project", "unit"] },
];
const REAL: Step = { name: "real hosts and database", command: bin("vitest"), args: ["run", "--project", "real"] };
const JOURNEYS: Step = { name: "browser journeys", command: bin("playwright"), args: ["test"] };

type Result = { name: string; ok: boolean; isAsked: boolean; seconds: number; said: string; unsteady: string[] };

async function runStep(step: Step): Promise<Result> {
  const started = Date.now();
  console.log(`\n── ${step.name}`);
  let said = "";
  const code = await new Promise<number | null>((resolve) => {
    const child = spawn(step.command, step.args, { cwd: root, stdio: ["inherit", "pipe", "pipe"], env: process.env });
    for (const stream of ["stdout", "stderr"] as const)
      child[stream].on("data", (chunk: Buffer) => {
        process[stream].write(chunk);
        said += chunk.toString();
      });
    child.on("error", (error) => {
      console.error(error.message);
      resolve(127);
    });
    child.on("close", resolve);
  });
  const isAsked = !(step.mayBeUnasked && code === NOT_ASKED);
  return {
    name: step.name,
    ok: code === 0 || !isAsked,
    isAsked,
    seconds: (Date.now() - started) / 1000,
    said,
    unsteady: unsteadyOf(said),
  };
}

/** A file that failed is run once more with hosts and a database of its own: what is broken fails twice. */
async function runReal(): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "driftline-test-"));
  try {
    const report = join(folder, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const first = await runStep({ ...REAL, args: [...REAL.args, ...reporters] });
    // An error outside of any test belongs to no file that could be tried again.
    const isTold = !first.ok && !first.said.includes("Unhandled Error");
    const again = isTold ? findSecondTry(readText(report), root) : null;
    if (again === null) return first;
    const second = await runStep({ ...REAL, name: `${REAL.name}, once more`, args: [...REAL.args, ...again.files] });
    const seconds = first.seconds + second.seconds;
    if (!second.ok) return { ...first, seconds };
    return { ...first, ok: true, seconds, unsteady: again.failures };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const LINES_OF_A_FAILURE = 60;
/** A comparison of two long texts is one line. */
const WIDEST = 240;

/** What a failed step said of its failures: whoever reads only the end of a long log still learns what broke. */
function failuresOf({ said }: Result): string[] {
  const lines = stripVTControlCharacters(said)
    .split("\n")
    .map((line) => line.slice(0, WIDEST));
  // vitest and Playwright both end with a summary of what failed; the other tools say little else.
  const at = lines.findIndex((line) => /Failed (Tests|Suites) \d+|^ {2}\d+\) /.test(line));
  return (at < 0 ? lines.slice(-LINES_OF_A_FAILURE) : lines.slice(at, at + LINES_OF_A_FAILURE)).filter(Boolean);
}

/** Journeys that passed only when they were tried again: each is a race, in the product or in the journey. */
function unsteadyOf(said: string): string[] {
  const lines = stripVTControlCharacters(said).split("\n");
  const at = lines.findLastIndex((line) => /^ {2}\d+ flaky$/.test(line));
  if (at < 0) return [];
  const after = lines.slice(at + 1);
  return after
    .slice(
      0,
      after.findIndex((line) => !line.startsWith("    ")),
    )
    .map((line) => line.replace(/[ ─]+$/, "").trim());
}

const missing = ensurePackages([...HOST_NEEDS, ...FOREIGN_TOOL_NEEDS, ...BROWSER_NEEDS, ...BENCH_NEEDS]);
if (missing.length > 0) {
  console.error(`driftline: cannot test without ${missing.map((need) => need.what).join(", ")}`);
  process.exit(1);
}
const results: Result[] = [];
for (const step of STATIC) results.push(await runStep(step));
results.push(await runReal());
results.push(await runStep(JOURNEYS));
for (const result of results) {
  if (!result.ok) console.log(`\n── what failed in: ${result.name}\n${failuresOf(result).join("\n")}`);
}
console.log("");
const wordOf = ({ ok, isAsked }: Result): string => (!isAsked ? "NOT ASKED" : ok ? "passed" : "FAILED");
for (const result of results) {
  const { name, seconds } = result;
  console.log(`${wordOf(result).padEnd(9)}  ${seconds.toFixed(1).padStart(6)} s  ${name}`);
}
for (const name of results.flatMap(({ unsteady }) => unsteady))
  console.log(`UNSTEADY   passed at the second try: ${name}`);
const failed = results.filter((result) => !result.ok).length;
const notAsked = results.filter((result) => !result.isAsked).length;
const rest = notAsked === 0 ? "" : `, ${notAsked} not asked (see its lines above)`;
console.log(`steps: ${results.length - failed - notAsked} passed, ${failed} failed${rest}`);
process.exit(failed === 0 ? 0 : 1);
