/** Where backups go: only into the directories that a host's agent was given. */
import path from "node:path";
import type { PlanRefusal, PlanRequest } from "#chain/plan/model.ts";
import { isAgentFailure, toObserveError } from "../agents/failure.ts";
import type { Engine } from "../state.ts";
import { cannotTell } from "./fresh.ts";

const ANSWER_MS = 15_000;

/**
 * The repositories of a host, for a request that writes or reads backups; none for any other. Asked each time: its
 * administrator may have changed them. @throws ProblemError cannot_tell
 */
export async function readRepositories(
  engine: Engine,
  { vmId, hostId }: { vmId: string; hostId: string },
  request: PlanRequest,
): Promise<string[]> {
  const host = engine.hosts.get(hostId);
  if (request.intent !== "backup" || !host) return [];
  try {
    return (await host.agent.api.host({}, { signal: AbortSignal.timeout(ANSWER_MS) })).repositories;
  } catch (error) {
    if (!isAgentFailure(error)) throw error;
    throw cannotTell(toObserveError(error, host.name), vmId);
  }
}

/** By the letters of the path. Links are the agent's business: it resolves them when it writes. */
export function isInside(repository: string, file: string): boolean {
  const root = path.posix.normalize(`${repository}/`);
  return path.posix.isAbsolute(file) && `${path.posix.normalize(file)}/`.startsWith(root);
}

/** Every reason against the repository of a backup. */
export function refuseRepository(request: PlanRequest, repositories: readonly string[]): PlanRefusal[] {
  if (request.intent !== "backup") return [];
  if (repositories.length === 0) {
    const reason = "The host's agent was given no repository for backups (`repositories` in its configuration).";
    return [{ field: null, code: "unhealthy", reason }];
  }
  const { repository } = request;
  if (repository === null) return [];
  const field = "repository";
  if (repository.split("/").some((part) => part === ".." || part === "."))
    return [{ field, code: "not-found", reason: "a path without . and .." }];
  if (repositories.some((one) => isInside(one, repository))) return [];
  const reason = `not in a repository of the host; it has ${repositories.join(", ")}`;
  return [{ field, code: "not-found", reason }];
}
