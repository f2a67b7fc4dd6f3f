/** Builds the web app when there is no build of exactly these sources. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");
const SOURCES = [
  "app",
  "components",
  ...["chain", "graph", "contract", "engine", "db", "client"].map((name) => `lib/${name}`),
];
const FILES = [
  "package-lock.json",
  "package.json",
  "next.config.js",
  "postcss.config.mjs",
  "instrumentation.ts",
  "proxy.ts",
];

/** SHA-256 over every file that the build can depend on: 3 ms a hundred files, so asked at each start. */
function sourceDigest(): string {
  const hash = createHash("sha256");
  const files = SOURCES.filter((folder) => existsSync(join(root, folder))).flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  for (const file of [...files, ...FILES.map((name) => join(root, name)).filter(existsSync)].sort()) {
    if (/\.test\.tsx?$/.test(file)) continue;
    hash.update(file.slice(root.length)).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex");
}

/** Rejects with Next's own output when the build fails. */
export async function ensureBuild(say: (line: string) => void = console.error): Promise<void> {
  const stamp = join(root, ".next", "driftline-sources");
  const digest = sourceDigest();
  if (existsSync(stamp) && existsSync(join(root, ".next", "BUILD_ID")) && readFileSync(stamp, "utf8") === digest)
    return;
  say("driftline: building the web app (about a minute, once)");
  const output: string[] = [];
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, "node_modules/next/dist/bin/next"), "build"], {
      cwd: root,
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.on("data", (chunk) => output.push(String(chunk)));
    child.stderr.on("data", (chunk) => output.push(String(chunk)));
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0)
    throw new Error(`the web app could not be built (next build ended with ${code}):\n${output.join("")}`);
  mkdirSync(join(root, ".next"), { recursive: true });
  writeFileSync(stamp, digest);
}
