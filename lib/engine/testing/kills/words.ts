/** What an error says, and what those say that caused it: a failed query alone names its statement and not its reason. */
const LONGEST = 6_000;

export function tellError(error: unknown): string {
  const parts: string[] = [];
  for (let e: unknown = error; e !== undefined && e !== null && parts.length < 5; ) {
    parts.push(tellOne(e));
    e = e instanceof Error ? e.cause : undefined;
  }
  return parts.join("; because: ");
}

/** PostgreSQL tells beside its words which code it is, which lock or which row. */
function tellOne(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const told = error as { code?: unknown; detail?: unknown; where?: unknown; constraint?: unknown };
  const rest = [told.code, told.detail, told.where, told.constraint].filter((part) => typeof part === "string");
  const words = error.message.length > LONGEST ? `${error.message.slice(0, LONGEST)}…` : error.message;
  return [words, ...rest].join(" | ");
}
