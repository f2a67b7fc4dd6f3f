/** Names of people below operator leave the house as `person-1`, the same all through one bundle. */

type Json = unknown;
type Named = { actor: string; role: string | null };

const isProgram = (name: string): boolean => name.startsWith("key:") || name === "driftline";

/** Everybody who is named as the one who did something, and the highest role in which the audit shows them. */
function findPeople(value: Json, people: Map<string, boolean>): void {
  if (Array.isArray(value)) for (const item of value) findPeople(item, people);
  else if (typeof value === "object" && value !== null) {
    const { actor, createdBy } = value as Record<string, Json>;
    for (const name of [actor, createdBy]) {
      if (typeof name === "string" && name !== "" && !isProgram(name)) people.set(name, people.get(name) ?? false);
    }
    const { role } = value as Partial<Named>;
    if (typeof actor === "string" && (role === "operator" || role === "admin")) people.set(actor, true);
    for (const inner of Object.values(value)) findPeople(inner, people);
  }
}

/**
 * The same document without those names, wherever in a text they stand ("held by …"). Who is shown as operator or admin,
 * and programs, keep theirs; of whom no role is known, the name goes.
 */
export function redactPeople<T extends Json>(document: T): T {
  const people = new Map<string, boolean>();
  findPeople(document, people);
  const hidden = [...people].filter(([, isKept]) => !isKept).map(([name]) => name);
  const aliases = new Map(hidden.map((name, i) => [name, `person-${i + 1}`]));
  // The longest first: one name may be the beginning of another.
  const names = [...aliases.keys()].sort((a, b) => b.length - a.length);
  const redact = (value: Json): Json => {
    if (typeof value === "string") {
      return names.reduce((text, name) => text.replaceAll(name, aliases.get(name) ?? ""), value);
    }
    if (Array.isArray(value)) return value.map(redact);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redact(inner)]));
  };
  return redact(document) as T;
}
