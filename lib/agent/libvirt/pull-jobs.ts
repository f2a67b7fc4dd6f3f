/**
 * Pull-mode backup jobs that only look at a bitmap. They block every other job of the domain, so each is ended
 * whatever happens: also one whose begin ran into its deadline and starts later in the daemon, and one of an agent
 * that was killed (its folder tells).
 */
import { chmod, chown, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HostFailure, observeError } from "../failure.ts";
import { type DirtyExtent, mapDirty } from "../qemu/extents.ts";
import type { CallPool } from "./call-pool.ts";
import { CallFailure } from "./call-process.ts";
import { readNote, writeNote } from "./pull-note.ts";
import { AGENT_NAME, isAgentAlive } from "./runtime-id.ts";
import { buildXml } from "./xml.ts";

const PREFIX = "driftline-pull-";
/** QEMU must see it: systemd's RuntimeDirectory where there is one, for a unit's private /tmp is its own. */
const BASE = process.env.RUNTIME_DIRECTORY?.split(":")[0] ?? tmpdir();
/** libvirt itself gives up on its lock after 30 s. */
const BEGIN_DEADLINE_MS = 40_000;
const REAP_EVERY_MS = 5_000;
const REAP_FOR_MS = 120_000;

type Wanted = { vmId: string; target: string; name: string };

function pullXml({ target, name }: Wanted, others: string[], socketPath: string, scratchPath: string): string {
  return buildXml({
    domainbackup: {
      "@mode": "pull",
      incremental: name,
      server: { "@transport": "unix", "@socket": socketPath },
      disks: {
        disk: [
          { "@name": target, "@backup": "yes", "@type": "file", scratch: { "@file": scratchPath } },
          ...others.map((other) => ({ "@name": other, "@backup": "no" })),
        ],
      },
    },
  });
}

export class PullJobs {
  readonly #pool: CallPool;
  readonly #uri: string;
  readonly #closing = new AbortController();

  constructor(pool: CallPool, uri: string) {
    this.#pool = pool;
    this.#uri = uri;
  }

  /** Begins a job on one disk, reads its dirty extents, ends the job. @throws HostFailure */
  async read(wanted: Wanted): Promise<DirtyExtent[]> {
    const { vmId, target } = wanted;
    const owner = await this.#pool.call("owner", { vmId }, { vmId });
    if (owner === null) throw new HostFailure(observeError("domain-changed", "The domain does not run any more."));
    const folder = await this.#makeFolder(owner);
    const socketPath = join(folder, "nbd.sock");
    await writeNote(folder, { uri: this.#uri, vmId, socketPath, agent: AGENT_NAME });
    const others = owner.disks.filter((disk) => disk !== target);
    const xml = pullXml(wanted, others, socketPath, join(folder, "scratch.qcow2"));
    let hung = false;
    try {
      await this.#pool.call("beginPull", { vmId, xml }, { vmId, deadlineMs: BEGIN_DEADLINE_MS });
      return await mapDirty(socketPath, target, `backup-${target}`);
    } catch (thrown) {
      hung = thrown instanceof CallFailure && (thrown.hung || thrown.scope === "host");
      throw thrown;
    } finally {
      await this.#end(folder, vmId, socketPath, hung);
    }
  }

  /** Ends the jobs that an agent which was killed has left on this host. */
  async reapLeftovers(): Promise<void> {
    for (const entry of await readdir(BASE)) {
      if (!entry.startsWith(PREFIX)) continue;
      const folder = join(BASE, entry);
      const note = await readNote(folder);
      if (!note || note.uri !== this.#uri) continue;
      if (isAgentAlive(note.agent)) continue;
      await this.#end(folder, note.vmId, note.socketPath, true);
    }
  }

  close(): void {
    this.#closing.abort();
  }

  /**
   * QEMU makes the socket and libvirt the scratch file: the folder belongs to QEMU's user, or, when the agent is not
   * root, to a group that both are in, and to nobody else.
   */
  async #makeFolder(owner: { uid: number; gid: number }): Promise<string> {
    const folder = await mkdtemp(join(BASE, PREFIX));
    const uid = process.getuid?.() ?? 0;
    try {
      if (uid === 0) await chown(folder, owner.uid, owner.gid);
      else if (uid !== owner.uid) {
        await chown(folder, uid, owner.gid);
        await chmod(folder, 0o770);
      }
      return folder;
    } catch (thrown) {
      await rm(folder, { recursive: true, force: true });
      const words = thrown instanceof Error ? thrown.message : String(thrown);
      const message = "QEMU runs as another user and the agent is not in its group: no folder for both can be made.";
      throw new HostFailure(observeError("permission-denied", message, words));
    }
  }

  /** Ends the job. After a begin that hung the daemon may start it later: keep looking in the background. */
  async #end(folder: string, vmId: string, socketPath: string, mayStartLater: boolean): Promise<void> {
    const abort = async (): Promise<boolean> =>
      this.#pool.call("abortPull", { vmId, socketPath }, { vmId }).catch(() => false);
    if ((await abort()) || !mayStartLater) {
      await rm(folder, { recursive: true, force: true });
      return;
    }
    void this.#reap(abort, folder);
  }

  async #reap(abort: () => Promise<boolean>, folder: string): Promise<void> {
    const deadline = Date.now() + REAP_FOR_MS;
    while (Date.now() < deadline && !this.#closing.signal.aborted) {
      await sleep(REAP_EVERY_MS, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined);
      if (await abort()) break;
    }
    if (!this.#closing.signal.aborted) await rm(folder, { recursive: true, force: true });
  }
}
