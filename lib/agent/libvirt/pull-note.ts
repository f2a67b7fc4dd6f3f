/**
 * What an agent writes down of a pull job before it begins it, so that the next one can end it. The folder lies where
 * anybody may make folders, and belongs to QEMU's account: a note counts only when the agent's own account wrote it.
 */
import { constants } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const NAME = "job.json";
const LONGEST_BYTES = 64 * 1024;

const noteSchema = z.object({ uri: z.string(), vmId: z.string(), socketPath: z.string(), agent: z.string() });
export type PullNote = z.infer<typeof noteSchema>;

/** Never through something that QEMU's account has put there. @throws EEXIST where there is anything of that name */
export function writeNote(folder: string, note: PullNote): Promise<void> {
  return writeFile(join(folder, NAME), JSON.stringify(note), { flag: "wx", mode: 0o600 });
}

/** null: there is none, or not one that an agent of this account wrote. */
export async function readNote(folder: string): Promise<PullNote | null> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(join(folder, NAME), flags).catch(() => null);
  if (file === null) return null;
  try {
    const found = await file.stat();
    if (!found.isFile() || found.uid !== process.getuid?.() || found.size > LONGEST_BYTES) return null;
    return noteSchema.safeParse(JSON.parse(await file.readFile("utf8"))).data ?? null;
  } catch {
    return null;
  } finally {
    await file.close();
  }
}
