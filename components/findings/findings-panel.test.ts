import { expect, test } from "vitest";
import { anyFinding } from "#client/testing/chain.ts";
import { sortFindings } from "./findings-panel.tsx";

test("an acknowledged finding stands last within its severity, never below a milder one", () => {
  const finding = (severity: "loss" | "note", acknowledged: boolean) =>
    anyFinding({ id: `${severity}${acknowledged ? " accepted" : ""}`, severity, acknowledged });
  const mixed = [finding("note", true), finding("note", false), finding("loss", true), finding("loss", false)];
  expect(sortFindings(mixed).map(({ id }) => id)).toEqual(["loss", "loss accepted", "note", "note accepted"]);
});
