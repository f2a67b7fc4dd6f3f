import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabContext } from "./context.ts";

/** Gives `use` a file with this text for as long as it runs: virsh reads documents from files only. */
export async function withDocument<T>(lab: LabContext, text: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = join(lab.dir, "tmp");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, randomUUID());
  writeFileSync(path, text);
  try {
    return await use(path);
  } finally {
    rmSync(path, { force: true });
  }
}
