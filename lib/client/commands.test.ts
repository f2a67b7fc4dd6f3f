import { expect, test } from "vitest";
import { isField } from "./commands.tsx";

const element = (tagName: string, type?: string) => ({ tagName, isContentEditable: false, ...(type ? { type } : {}) });

test("single keys work on a box that was ticked, and never where somebody types or chooses", () => {
  for (const type of ["checkbox", "radio"]) expect(isField(element("INPUT", type)), type).toBe(false);
  for (const type of ["text", "search", "password", "datetime-local", "number"])
    expect(isField(element("INPUT", type)), type).toBe(true);
  expect(isField(element("TEXTAREA", "textarea"))).toBe(true);
  expect(isField(element("SELECT", "select-one"))).toBe(true);
  expect(isField(element("BUTTON", "button"))).toBe(false);
  expect(isField({ tagName: "DIV", isContentEditable: true })).toBe(true);
});
