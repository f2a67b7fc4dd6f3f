import { readFileSync } from "node:fs";
import path from "node:path";

/** The version in package.json, which lies where every process of ours is started. */
export const VERSION: string = (() => {
  try {
    return (JSON.parse(readFileSync(path.join(process.cwd(), "package.json"), "utf8")) as { version: string }).version;
  } catch {
    return "unknown";
  }
})();
