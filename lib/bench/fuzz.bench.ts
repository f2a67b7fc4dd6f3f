/**
 * `npm run fuzz [-- requests]`: random requests to both APIs, made from their OpenAPI documents, with every role and none.
 * No answer is a failure of ours, a role that may not changes nothing, and no planted secret stands in an answer or in
 * the log. Streams of events are opened, read to their first chunk, left, and gone then. Prints a table; ends red when one
 * of these does not hold. The seed is printed: DRIFTLINE_FUZZ_SEED repeats it.
 */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KEYS, openRig } from "#engine/testing/rig.ts";
import { attackAgent } from "./fuzz/agent.ts";
import { attackEngine } from "./fuzz/engine.ts";
import { Ledger, type Result } from "./fuzz/ledger.ts";

const REQUESTS = Number(process.argv[2] ?? 20_000);
const TOKEN = process.env.DRIFTLINE_FUZZ_TOKEN ?? "";
const PASSWORD = process.env.DRIFTLINE_FUZZ_PASSWORD ?? "";

async function attack(): Promise<Result> {
  const seed = Number(process.env.DRIFTLINE_FUZZ_SEED ?? Date.now() % 1_000_000_000);
  const ledger = new Ledger(seed, [TOKEN, PASSWORD, ...Object.values(KEYS)]);
  const rig = await openRig();
  try {
    await attackEngine(rig, ledger, REQUESTS * 0.8, PASSWORD);
    await attackAgent(rig.dir, ledger, REQUESTS * 0.2, TOKEN);
  } finally {
    await rig.close();
  }
  return ledger.result;
}

/** The attack in a process of its own, so that all it logs can be looked through. */
function main(): void {
  const folder = mkdtempSync(join(tmpdir(), "dl-fuzz-run-"));
  const file = join(folder, "log");
  const out = openSync(file, "w");
  const [token, password] = [randomUUID(), `planted ${randomUUID()}`];
  const env = { ...process.env, DRIFTLINE_FUZZ_TOKEN: token, DRIFTLINE_FUZZ_PASSWORD: password };
  const began = Date.now();
  const self = fileURLToPath(import.meta.url);
  const child = spawnSync(process.execPath, [self, String(REQUESTS)], { env, stdio: ["ignore", out, out] });
  closeSync(out);
  const said = readFileSync(file, "utf8");
  const line = said.split("\n").findLast((one) => one.startsWith("RESULT "));
  if (line === undefined) throw new Error(`the run ended with ${child.status}: ${said.slice(-3_000)}`);
  const result = JSON.parse(line.slice("RESULT ".length)) as Result;
  const log = said.replace(line, "");
  const leaked = [token, password, ...Object.values(KEYS)].filter((secret) => log.includes(secret)).length;
  console.table(result.requests);
  console.table(result.statuses);
  const total = Object.values(result.requests).reduce((sum, n) => sum + n, 0);
  const seconds = ((Date.now() - began) / 1_000).toFixed(0);
  console.log(`${total} requests in ${seconds} s, seed ${result.seed}; ${result.streams} streams of events opened`);
  console.log(`log of ${log.length} bytes with ${leaked} secrets`);
  for (const fault of result.faults.slice(0, 30)) console.log(`FAULT ${fault}`);
  console.log(`${result.faults.length} faults`);
  rmSync(folder, { recursive: true, force: true });
  process.exit(result.faults.length === 0 && leaked === 0 ? 0 : 1);
}

if (TOKEN === "") main();
else {
  const result = await attack();
  process.stdout.write(`\nRESULT ${JSON.stringify(result)}\n`, () => process.exit(0));
}
