/** Column helpers that every table shares. */
import { sql } from "drizzle-orm";
import { check, type PgColumn, timestamp } from "drizzle-orm/pg-core";

/** Times are stored with their zone and always read back as ISO 8601 UTC strings by the repositories. */
export const at = (name: string) => timestamp(name, { withTimezone: true, mode: "date", precision: 3 });

/** `column in (words)`: the closed sets of the domain hold in the database too. */
export function oneOf(name: string, column: PgColumn, words: readonly string[]) {
  const list = words.map((word) => `'${word.replaceAll("'", "''")}'`).join(", ");
  return check(name, sql`${column} in (${sql.raw(list)})`);
}
