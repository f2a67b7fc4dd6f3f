import { expect, test } from "vitest";
import { backupsByCheckpoint } from "./backups.ts";

test("a backup that was not read with the others hangs on its checkpoint all the same, as the record says", () => {
  const checkpoints = [
    { id: "cp0", backup: "finished" as const },
    { id: "cp1", backup: "failed" as const },
    { id: "cp2", backup: "finished" as const },
    { id: "cp3", backup: null },
  ];
  const read = [{ id: "b2", checkpointId: "cp2", kind: "full" as const, state: "finished" as const, bytes: 9 }];
  const words = (backups: typeof read) =>
    [...backupsByCheckpoint(checkpoints, backups)].map(([id, { word }]) => [id, word]);
  expect(words(read)).toEqual([
    ["cp0", "Backed up"],
    ["cp1", "Backup failed"],
    ["cp2", "Full"],
  ]);
  expect(words([]).map(([id]) => id)).toEqual(["cp0", "cp1", "cp2"]);
});
