import { expect, test } from "vitest";
import { nothingWords } from "./palette-dialog.tsx";

const search = { isError: false, isSuccess: true, isPlaceholderData: false };

test("that no VM matches is said only after an answer about what stands typed", () => {
  expect(nothingWords("mail", search)).toBe("No command and no VM matches.");
  for (const open of [
    { ...search, isSuccess: false },
    { ...search, isPlaceholderData: true },
  ])
    expect(nothingWords("mail", open)).toContain("Searching");
  expect(nothingWords("mail", { ...search, isSuccess: false, isError: true })).toContain("could not be searched");
  expect(nothingWords("m", { ...search, isSuccess: false })).not.toContain("no VM");
});
