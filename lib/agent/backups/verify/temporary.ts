/** Temporary files of the agent in a repository: named after the agent that made them, removed with or after it. */
import { readdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { hostKey } from "../note.ts";
import { findOwnFolder, makeOwnFolder } from "../own-folder.ts";

export class TemporaryFiles {
  readonly #key: string;
  readonly #isAlive: (agent: string) => boolean;
  readonly #agent: string;
  #count = 0;

  /**
   * @param agent names the running agent for ever, `pid-start`
   * @param isAlive whether the agent of that name runs
   */
  constructor(uri: string, agent: string, isAlive: (agent: string) => boolean) {
    this.#key = hostKey(uri);
    this.#agent = agent;
    this.#isAlive = isAlive;
  }

  /** Lends a path at which nothing is, and removes what is there afterwards. */
  async with<T>(repository: string, use: (path: string) => Promise<T>): Promise<T> {
    const folder = await makeOwnFolder(repository, "tmp");
    this.#count += 1;
    const path = join(folder, `${this.#key}_${this.#agent}_${this.#count}.raw`);
    try {
      return await use(path);
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Removes what agents of this host that run no more have left. */
  async removeLeftovers(repositories: readonly string[]): Promise<void> {
    for (const listed of repositories) {
      const folder = await findOwnFolder(await realpath(listed).catch(() => listed), "tmp");
      if (folder === null) continue;
      for (const name of await readdir(folder).catch(() => [])) {
        const [key, agent = ""] = name.split("_");
        if (key === this.#key && !this.#isAlive(agent)) await rm(join(folder, name), { force: true });
      }
    }
  }
}
