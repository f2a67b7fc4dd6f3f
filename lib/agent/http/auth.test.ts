import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { authorizedHash } from "./auth.ts";

const hash = (token: string): string => createHash("sha256").update(token).digest("hex");
const isAuthorized = (header: string | undefined, hashes: string[]) => authorizedHash(header, hashes) !== null;
const known = [hash("first"), hash("second")];

it("takes every known token, whatever its place, and the scheme in any case", () => {
  for (const header of ["Bearer first", "Bearer second", "bearer first"]) {
    expect([header, isAuthorized(header, known)]).toEqual([header, true]);
  }
});

it("refuses an unknown token, a hash in place of its token, another scheme and anything malformed", () => {
  const wrong = [
    undefined,
    "",
    "first",
    "Basic first",
    "Bearer",
    "Bearer ",
    "Bearer  first",
    "Bearer first ",
    "Bearer x",
  ];
  for (const header of [...wrong, `Bearer ${known[0]}`, `Bearer ${"x".repeat(5_000)}`]) {
    expect([header, isAuthorized(header, known)]).toEqual([header, false]);
  }
});
