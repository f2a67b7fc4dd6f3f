/** The backup calls of the agent's API on real libvirt. */
import { discardFiles } from "../backups/discard.ts";
import { TemporaryFiles } from "../backups/verify/temporary.ts";
import { verifyDisks } from "../backups/verify/verify.ts";
import type { BackupOperations } from "../driver.ts";
import type { BackupJobs } from "./backup-jobs.ts";
import type { CallPool } from "./call-pool.ts";
import { makeCompareDisk } from "./compare-disk.ts";
import { AGENT_NAME, isAgentAlive } from "./runtime-id.ts";

type Parts = { pool: CallPool; jobs: BackupJobs; uri: string; repositories: readonly string[]; qmp: boolean };

/** Removes at once what a verification of a killed agent has left. */
export function makeBackupOperations({ pool, jobs, uri, repositories, qmp }: Parts): BackupOperations {
  const temporary = new TemporaryFiles(uri, AGENT_NAME, isAgentAlive);
  void temporary.removeLeftovers(repositories).catch(() => undefined);
  return {
    beginBackup: (input) => jobs.begin(input),
    currentBackup: ({ vmId }) => jobs.current(vmId),
    abortBackup: ({ vmId }) => jobs.abort(vmId),
    discardFiles: (input) =>
      discardFiles(repositories, input, async (paths) => {
        const held = await readHeld(pool, paths);
        return qmp && held.includes(true) && (await takeOut(pool, paths)) ? readHeld(pool, paths) : held;
      }),
    verifyBackup: (input, signal) => {
      const compare = input.compareWith === null ? null : makeCompareDisk(pool, input.compareWith, qmp);
      return verifyDisks({ repositories, temporary, compare }, input, signal);
    },
  };
}

async function readHeld(pool: CallPool, paths: string[]): Promise<boolean[]> {
  const states = await pool.call("writers", { paths });
  return states.map((state) => state === "held");
}

/** Asks the VMs after which the files' folders are named. True: something was taken out. */
async function takeOut(pool: CallPool, files: string[]): Promise<boolean> {
  const names = new Set(files.flatMap((path) => path.split("/")));
  const vms = (await pool.call("ids", {})).filter((vmId) => names.has(vmId));
  const gone = await Promise.all(vms.map((vmId) => pool.call("releaseFiles", { vmId, files }, { vmId })));
  return gone.some((count) => (count ?? 0) > 0);
}
