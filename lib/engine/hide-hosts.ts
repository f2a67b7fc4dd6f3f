/**
 * What a key with a scope is told names no other host, also where a VM of its own has been there or runs there too: in
 * words of findings, plans, the audit and errors. Lists and counts are bounded in their queries; this is about the words.
 */
import { ProblemError } from "#contract/problem.ts";
import { listHostsBesides } from "#db/index.ts";
import type { Context } from "./state.ts";

const NOBODY = "00000000-0000-0000-0000-000000000000";
const ANOTHER = "another host";
/** Names that people or hypervisors gave: what is equal to a host's name there is a coincidence. */
const NAMES = new Set([
  ...["id", "name", "vmName", "target", "disk", "disks", "source", "path", "layerPath", "repository", "backing"],
  ...[
    "checkpointId",
    "checkpointIds",
    "parentId",
    "base",
    "bitmap",
    "confirm",
    "actor",
    "createdBy",
    "runtimeId",
    "digest",
  ],
]);

/** What may be a host's name and nothing else. */
const WORDS = new Set(["hostName", "was", "is", "detail", "message", "hostMessage", "reason"]);

const literally = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

type Hide = { all: (text: string, key: string) => string; names: (text: string) => string };

function makeHide(others: readonly { id: string; name: string }[]): Hide {
  const ids = new RegExp(others.map(({ id }) => id).join("|"), "gi");
  // The longest first: one name may be the beginning of another.
  const names = others.map(({ name }) => literally(name)).sort((a, b) => b.length - a.length);
  const words = new RegExp(`(?<![\\w.-])(?:${names.join("|")})(?![\\w-]|\\.\\w)`, "g");
  const hide: Hide = {
    names: (text) => text.replaceAll(words, ANOTHER),
    all: (text, key) => {
      const without = text.replaceAll(ids, NOBODY);
      // Elsewhere a single word is a value of a closed list, such as a state.
      const isText = WORDS.has(key) || (!NAMES.has(key) && /\s/.test(without));
      return isText ? hide.names(without) : without;
    },
  };
  return hide;
}

function walk(value: unknown, key: string, hide: Hide): unknown {
  if (typeof value === "string") return hide.all(value, key);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  // A stream: whoever makes it bounds it.
  if (Symbol.asyncIterator in value) return value;
  if (Array.isArray(value)) return value.map((item) => walk(item, key, hide));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, walk(item, name, hide)]));
}

async function hideFor({ engine, actor }: Context): Promise<Hide | null> {
  if (!actor.scope) return null;
  const others = await listHostsBesides(engine.db.orm, actor.scope);
  return others.length === 0 ? null : makeHide(others);
}

/** The answer of a call without other hosts' names and ids in it. */
export async function hideHosts(context: Context, answer: unknown): Promise<unknown> {
  const hide = await hideFor(context);
  return hide ? walk(answer, "", hide) : answer;
}

/** The same of a refusal. Ids stay: they are those that were asked about, and come back as they were sent. */
export async function hideHostsInProblem(context: Context, problem: ProblemError): Promise<ProblemError> {
  const hide = await hideFor(context);
  if (!hide) return problem;
  const { code, message, subject, hostMessage, retryable, errors } = problem;
  return new ProblemError(code, hide.names(message), {
    subject,
    hostMessage: hostMessage && hide.names(hostMessage),
    retryable,
    ...(errors ? { errors: errors.map(({ field, reason }) => ({ field, reason: hide.names(reason) })) } : {}),
  });
}
