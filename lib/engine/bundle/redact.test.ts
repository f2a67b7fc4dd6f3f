import { expect, test } from "vitest";
import { redactPeople } from "./redact.ts";

test("a person below operator is the same alias everywhere, also inside a sentence; operators, keys and policy keep their names", () => {
  const redacted = redactPeople({
    audit: [
      { actor: "ann@example.org", role: "support", detail: "done" },
      { actor: "boss@example.org", role: "admin", detail: "refused: the VM is held by ann@example.org (backup)" },
    ],
    job: { actor: "ann@example.org", error: null, n: 3 },
    jobs: [{ actor: "key:manager" }, { actor: "driftline" }, { actor: "boss@example.org" }],
    plan: { createdBy: "ann@example.org.uk" },
  });
  expect(redacted).toEqual({
    audit: [
      { actor: "person-1", role: "support", detail: "done" },
      { actor: "boss@example.org", role: "admin", detail: "refused: the VM is held by person-1 (backup)" },
    ],
    job: { actor: "person-1", error: null, n: 3 },
    jobs: [{ actor: "key:manager" }, { actor: "driftline" }, { actor: "boss@example.org" }],
    plan: { createdBy: "person-2" },
  });
});

test("whose role is not known stays unnamed", () => {
  expect(redactPeople({ job: { actor: "somebody" } })).toEqual({ job: { actor: "person-1" } });
});
