/**
 * Asks the registry for known weaknesses of the packages that we ship. Red at a high or critical one. Where the registry
 * cannot be asked (some mirrors answer no audit) that is said, and is neither green nor red: exit code 77.
 */
import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { root } from "./build.ts";

export const NOT_ASKED = 77;
const LIMIT_MS = 60_000;
const ARGS = ["audit", "--omit=dev", "--json", "--fetch-retries=0", "--fetch-timeout=20000"];

export type Verdict = { code: number; said: string };
const notAsked = (why: string): Verdict => ({
  code: NOT_ASKED,
  said: `advisories NOT ASKED: ${why}\nnothing is known of weaknesses in the packages that are shipped; run this where the registry answers audits`,
});

/** What the answer of `npm audit --json` comes to. Anything but a whole answer is no answer. */
export function judgeAudit(text: string): Verdict {
  let answer: {
    message?: string;
    error?: { summary?: string };
    vulnerabilities?: Record<string, { severity: string; range?: string }>;
    metadata?: { vulnerabilities?: Record<string, number> };
  };
  try {
    answer = JSON.parse(text);
  } catch {
    return notAsked("npm gave no answer that can be read");
  }
  const counts = answer.metadata?.vulnerabilities;
  if (typeof counts?.high !== "number" || typeof counts.critical !== "number")
    return notAsked(answer.message ?? (answer.error?.summary || "the answer holds no counts"));
  const bad = Object.entries(answer.vulnerabilities ?? {}).filter(([, one]) => /^(high|critical)$/.test(one.severity));
  const lines = bad.map(([name, { severity, range }]) => `${severity}: ${name} ${range ?? ""}`);
  const all = Object.entries(counts).map(([severity, n]) => `${n} ${severity}`);
  return {
    code: counts.high + counts.critical > 0 ? 1 : 0,
    said: [...lines, `advisories: ${all.join(", ")}`].join("\n"),
  };
}

function main(): never {
  const { stdout, error } = spawnSync("npm", ARGS, { cwd: root, encoding: "utf8", timeout: LIMIT_MS });
  const { code, said } = error ? notAsked(error.message) : judgeAudit(stdout);
  console.log(said);
  process.exit(code);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main();
