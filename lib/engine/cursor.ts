/** Keyset cursors: opaque to the caller, checked when they come back. */
import { z } from "zod";
import { ProblemError } from "#contract/problem.ts";

/** What a list continues after: which list and order it belongs to, and the values of the last row. */
export function encodeCursor(kind: string, values: (string | number | null)[]): string {
  return Buffer.from(JSON.stringify([kind, ...values]), "utf8").toString("base64url");
}

const invalid = (reason: string) =>
  new ProblemError("invalid_input", "The cursor is not one of this list.", { errors: [{ field: "cursor", reason }] });

/** Reads a cursor of this list. A foreign, cut or made-up one is the caller's mistake and never reaches the database. */
export function decodeCursor<T extends z.ZodType>(
  cursor: string | undefined,
  kind: string,
  values: T,
): z.infer<T> | null {
  if (cursor === undefined) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    throw invalid("not a cursor that this server gave");
  }
  if (!Array.isArray(parsed) || parsed[0] !== kind) throw invalid("it belongs to another list or another order");
  const checked = values.safeParse(parsed.slice(1));
  if (!checked.success) throw invalid("not a cursor that this server gave");
  return checked.data;
}

/** PostgreSQL's text cannot hold a zero byte. */
export const cursorText = z
  .string()
  .max(400)
  .refine((text) => !text.includes("\0"));
export const cursorNumber = z.int();
export const cursorTime = z.iso.datetime();
