/** Fails when a package that we ship carries a licence outside the list; the list is what Apache-2.0 can stand beside. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./build.ts";

const ALLOWED = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC-BY-4.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MIT-0",
  // lightningcss, used unmodified when the pages are built.
  "MPL-2.0",
  "OFL-1.1",
  "PostgreSQL",
  "Python-2.0",
  "SIL OPEN FONT LICENSE",
  "Unlicense",
  "WTFPL",
  // sharp's prebuilt libvips, linked dynamically and only where Next resizes images.
  "LGPL-3.0-or-later",
]);

type Entry = { license?: string; dev?: boolean; optional?: boolean; version?: string };
const lock: { packages: Record<string, Entry> } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));

/** SPDX expressions: an OR needs one side, an AND both. */
const isAllowed = (expression: string): boolean => {
  const text = expression.replace(/^\(|\)$/g, "");
  if (text.includes(" OR ")) return text.split(" OR ").some(isAllowed);
  if (text.includes(" AND ")) return text.split(" AND ").every(isAllowed);
  return ALLOWED.has(text);
};

const shipped = Object.entries(lock.packages).filter(([path, entry]) => path !== "" && !entry.dev);
const offences = shipped.filter(([, entry]) => !entry.license || !isAllowed(entry.license));
for (const [path, entry] of offences)
  console.error(`${path} ${entry.version}: ${entry.license ?? "no licence stated"}`);
console.log(`${shipped.length} packages shipped, ${offences.length} with a licence outside the list`);
process.exit(offences.length === 0 ? 0 : 1);
