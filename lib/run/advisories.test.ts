import { expect, test } from "vitest";
import { judgeAudit, NOT_ASKED } from "./advisories.ts";

const counts = (high: number, critical: number) => ({ info: 0, low: 1, moderate: 2, high, critical, total: 3 });
const answer = (high: number, critical: number, vulnerabilities: object = {}) =>
  judgeAudit(
    JSON.stringify({ auditReportVersion: 2, vulnerabilities, metadata: { vulnerabilities: counts(high, critical) } }),
  );

test("a high or a critical weakness is red and is named, lesser ones are counted", () => {
  expect(answer(0, 0)).toMatchObject({ code: 0, said: expect.stringContaining("2 moderate") });
  const found = { pg: { severity: "high", range: "<8" }, clsx: { severity: "low" } };
  expect(answer(1, 0, found)).toMatchObject({ code: 1, said: expect.stringMatching(/^high: pg <8\n/) });
  expect(answer(0, 1).code).toBe(1);
});

test.each([
  '{"message":"405 Method Not Allowed - POST https://registry.example/bulk","statusCode":405}',
  '{"error":{"code":"ENOLOCK","summary":"This command requires an existing lockfile."}}',
  '{"metadata":{"vulnerabilities":{}}}',
  "{}",
  "",
  "<html>",
])("an answer that is none is not asked, and never green: %s", (text) => {
  const { code, said } = judgeAudit(text);
  expect(code).toBe(NOT_ASKED);
  expect(said).toContain("NOT ASKED");
});
