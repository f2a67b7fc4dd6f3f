/** SECURITY.md names a test for each attack: they are there under those names, and none of them is switched off. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** What the table must speak of. */
const ATTACKS = [
  "path traversal",
  "XML injection through names",
  "header injection",
  "oversized bodies",
  "slow bodies",
  "replayed apply",
  "stolen expired session",
  "wrong certificate",
  "token of another host",
  "redirect to a foreign origin",
  "cross-site post (CSRF)",
  "forbidden role",
  "scope by host",
  "secrets in logs",
  "swapped links",
  "FIFOs in a repository",
];

type Row = { attack: string; file: string; name: string };

const rows: Row[] = readFileSync(join(ROOT, "SECURITY.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const [, attack, file, name] = /^\| (.+?) \| `([^`]+\.ts)` \| (.+?) \|$/.exec(line) ?? [];
    return attack && file && name ? [{ attack, file, name }] : [];
  });

/** The call that begins the test of this name; null: there is none, or it is switched off. */
function findTest(text: string, name: string): string | null {
  const at = text.indexOf(`${JSON.stringify(name)},`);
  if (at < 0) return null;
  const before = text.slice(0, at).trimEnd();
  const line = before.slice(before.lastIndexOf("\n") + 1);
  const isCall = /\b(test|it)(\.(each|runIf|concurrent)(\(.*\))?)?\($|^ *\]\)\($/.test(line);
  return isCall && !/^\s*(\/\/|\*)|\.(skip|todo|fails)\b/.test(line) ? line : null;
}

test("every attack of the list has a row in SECURITY.md", () => {
  expect(ATTACKS.filter((attack) => !rows.some((row) => row.attack.includes(attack)))).toEqual([]);
});

test.each(rows)("$attack: $file has the test that SECURITY.md names", ({ file, name }) => {
  const path = join(ROOT, file);
  expect(existsSync(path), `${file} is not there`).toBe(true);
  expect(findTest(readFileSync(path, "utf8"), name), `${file} has no test "${name}"`).not.toBeNull();
});
