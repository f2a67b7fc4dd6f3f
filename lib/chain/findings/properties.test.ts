/** What must hold for every chain, drifted in every way. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DriftInput, FINDING_KINDS, type FindingKind, OBSERVE_ERROR_CODES } from "../model.ts";
import { arbHealthy, arbReordered } from "../testing/generators.ts";
import { MUTATIONS, type Pick } from "../testing/mutations.ts";
import { agreementOf, nextBackup } from "../verdict.ts";
import { DESTRUCTIVE, findDrift } from "./index.ts";

const arbPicks = fc.array(fc.nat(), { minLength: 12, maxLength: 12 });

function picker(picks: readonly number[]): Pick {
  let at = 0;
  return (count) => (picks[at++ % picks.length] ?? 0) % Math.max(1, count);
}

/** A healthy input and the findings that one drift of `kind` must give. */
function arbDrifted(kind: FindingKind): fc.Arbitrary<{ input: DriftInput; expected: string[] }> {
  return fc
    .tuple(arbHealthy({ live: kind === "bitmap.rewound" || kind === "vm.two-hosts" }), arbPicks)
    .map(([healthy, picks]) => {
      const input = structuredClone(healthy);
      return { input, expected: MUTATIONS[kind](input, picker(picks)) };
    })
    .filter((drift): drift is { input: DriftInput; expected: string[] } => drift.expected !== null);
}

const arbAnyDrift = fc.constantFrom(...FINDING_KINDS).chain(arbDrifted);
const ids = (input: DriftInput) => findDrift(input).map(({ id }) => id);

describe("healthy", () => {
  test("a record equal to metadata and bitmaps gives no finding and every covered disk an incremental", () => {
    fc.assert(
      fc.property(arbHealthy(), (input) => {
        expect(ids(input)).toEqual([]);
        expect(agreementOf({ observation: input.observation, findings: [] })).toBe("agrees");
        const verdicts = nextBackup({ record: input.record, observation: input.observation, findings: [] });
        expect(verdicts.find(({ disk }) => disk === "vda")?.verdict).toBe("incremental");
      }),
    );
  });
});

describe("one drift", () => {
  test.each(FINDING_KINDS)("%s gives exactly its finding and no other", (kind) => {
    fc.assert(
      fc.property(arbDrifted(kind), ({ input, expected }) => {
        expect(ids(input)).toEqual(expected);
      }),
    );
  });

  test("is found again whatever order the lists come in, with the same words", () => {
    const reordered = arbAnyDrift.chain(({ input }) => fc.tuple(fc.constant(input), arbReordered(input)));
    fc.assert(
      fc.property(reordered, ([input, other]) => {
        const found = findDrift(input);
        expect(findDrift(input)).toEqual(found);
        const plain = (list: typeof found) => list.map(({ evidence: _, ...rest }) => rest);
        expect(plain(findDrift(other))).toEqual(plain(found));
        const verdict = (one: DriftInput) => nextBackup({ ...one, findings: findDrift(one) });
        expect(verdict(other)).toEqual(verdict(input));
      }),
    );
  });

  test("changes nothing in its input", () => {
    fc.assert(
      fc.property(arbAnyDrift, ({ input }) => {
        const before = structuredClone(input);
        findDrift(input);
        nextBackup({ ...input, findings: findDrift(input) });
        expect(input).toEqual(before);
      }),
    );
  });

  test("every finding has evidence, an explanation and a consequence", () => {
    fc.assert(
      fc.property(arbAnyDrift, ({ input }) => {
        for (const finding of findDrift(input)) {
          expect(Object.values(finding.evidence).some((said) => said !== null && said !== "")).toBe(true);
          expect(finding.explanation).toMatch(/\.$/);
          expect(finding.consequence).toMatch(/\.$/);
        }
      }),
    );
  });

  test("an acknowledged finding stays listed and is marked", () => {
    fc.assert(
      fc.property(arbAnyDrift, ({ input, expected }) => {
        input.record.acknowledged = expected;
        const found = findDrift(input);
        expect(found.map(({ id, acknowledged }) => [id, acknowledged])).toEqual(expected.map((id) => [id, true]));
      }),
    );
  });

  test("a bitmap that a finding calls broken is never the base of the next backup", () => {
    fc.assert(
      fc.property(arbAnyDrift, ({ input }) => {
        const findings = findDrift(input);
        const verdicts = nextBackup({ ...input, findings });
        for (const { kind, severity, subject } of findings) {
          if (severity === "note" || severity === "waste" || kind === "metadata.missing") continue;
          for (const { disk, verdict, from } of verdicts) {
            if (kind === "disk.replaced" && disk === subject.disk) expect(verdict).toBe("full");
            const named = subject.checkpointId !== null && from === subject.checkpointId;
            const allDisks = subject.disk === null || subject.disk === disk;
            // Other disks of a definition that lists too few are right there.
            if (named && allDisks && kind !== "metadata.disks-differ") expect(from).not.toBe(subject.checkpointId);
          }
        }
      }),
    );
  });
});

describe("a failed or partial read", () => {
  const arbPartial = fc.tuple(
    arbAnyDrift,
    fc.constantFrom(...OBSERVE_ERROR_CODES.filter((code) => code !== "unreadable")),
    fc.boolean(),
    fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  );

  test("never gives a destructive remedy, or any finding of its own, on what was not read", () => {
    fc.assert(
      fc.property(arbPartial, ([{ input }, code, list, disks]) => {
        const error = { code, message: "", hostMessage: null, retryable: true };
        const failed = new Set<string>();
        input.observation.disks.forEach((disk, index) => {
          if (!disks[index]) return;
          disk.layers = { ok: false, error };
          failed.add(disk.target);
        });
        if (list) input.observation.checkpoints = { ok: false, error };
        const findings = findDrift(input);
        for (const { kind, subject, remedies } of findings) {
          const unread = list || (subject.disk !== null && failed.has(subject.disk));
          if (unread) expect(remedies.filter((remedy) => DESTRUCTIVE.has(remedy))).toEqual([]);
          if (list) expect(kind).not.toMatch(/^metadata\./);
          if (subject.disk !== null && failed.has(subject.disk)) expect(kind).not.toMatch(/^bitmap\./);
          const covers = input.record.checkpoints.find(({ id }) => id === subject.checkpointId)?.disks ?? [];
          if (covers.some(({ target }) => failed.has(target))) expect(remedies).not.toContain("remove");
        }
        if (!list && failed.size === 0) return;
        expect(agreementOf({ observation: input.observation, findings })).not.toBe("agrees");
        for (const { disk, verdict } of nextBackup({ ...input, findings })) {
          if (list || failed.has(disk)) expect(verdict).not.toBe("incremental");
        }
      }),
    );
  });
});
