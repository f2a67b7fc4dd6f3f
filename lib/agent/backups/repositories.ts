/** Whether backups can be made at all on this host, and why not. */
import { access, constants, stat } from "node:fs/promises";
import type { HostInfo } from "#contract/agent.ts";

type SwitchedOff = HostInfo["switchedOff"][number];

async function whyUnusable(repository: string): Promise<string | null> {
  try {
    if (!(await stat(repository)).isDirectory()) return "is not a folder";
    await access(repository, constants.R_OK | constants.W_OK | constants.X_OK);
    return null;
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === "ENOENT") return "does not exist";
    return code === "EACCES" || code === "EROFS" ? "is not writable by the agent" : `cannot be reached (${code})`;
  }
}

/** `backups`: at least one repository can be written to, and images can be made. */
export async function checkRepositories(
  repositories: readonly string[],
  hasQemuImg: boolean,
): Promise<{ backups: boolean; switchedOff: SwitchedOff[] }> {
  if (repositories.length === 0) {
    return { backups: false, switchedOff: [{ what: "backups", why: "the configuration lists no repositories" }] };
  }
  const reasons = await Promise.all(repositories.map(whyUnusable));
  const switchedOff = repositories.flatMap((repository, i): SwitchedOff[] => {
    const why = reasons[i];
    return why ? [{ what: `backups to ${repository}`, why: `it ${why}` }] : [];
  });
  if (!hasQemuImg) switchedOff.push({ what: "backups", why: "qemu-img is not installed" });
  return { backups: hasQemuImg && reasons.includes(null), switchedOff };
}
