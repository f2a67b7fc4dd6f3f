import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, test } from "vitest";
import type { PlanGroup } from "#contract/engine.ts";
import { GroupPart } from "./group-part.tsx";
import { acknowledgedOf, askedAgain, isAccepted, type PlannedPart, standingOf, tickOf } from "./group-state.ts";

const EXPIRES = "2026-03-04T05:15:00Z";
const part = (vmId: string, patch: Partial<PlannedPart["plan"]> = {}): PlannedPart => ({
  vmId,
  vmName: vmId,
  plan: {
    intent: "heal",
    params: { mode: "salvage" },
    state: "ready",
    jobId: null,
    tier: 2,
    consequences: [],
    losses: [
      { id: "l1", text: "cp1 is lost." },
      { id: "l2", text: "cp2 is lost." },
    ],
    counts: { define: 0, delete: 0, bitmap: 0, full: 0 },
    changes: [],
    ...patch,
  } as unknown as PlannedPart["plan"],
  refusals: [],
});
const group = (...parts: PlanGroup["parts"]) => ({ intent: "heal", expiresAt: EXPIRES, parts }) as PlanGroup;
const names = (parts: readonly { vmId: string }[]) => parts.map(({ vmId }) => vmId);

describe("a plan over several VMs", () => {
  const refused = { vmId: "c", vmName: "c", plan: null, refusals: [] };

  test("is expired when its time is over, whether the server said so already or the page just stands open", () => {
    const before = Date.parse(EXPIRES) - 1;
    const open = group(part("a"), part("b", { jobId: "j" }), refused);
    expect(names(standingOf(open, before).runnable)).toEqual(["a"]);
    expect(askedAgain(open, standingOf(open, before))).toBeNull();
    for (const [said, now] of [
      [open, Date.parse(EXPIRES)],
      [group(part("a", { state: "expired" }), part("b", { jobId: "j" }), refused), null],
    ] as const) {
      const standing = standingOf(said, now);
      expect(names(standing.runnable)).toEqual([]);
      expect(names(standing.expired)).toEqual(["a"]);
      expect(askedAgain(said, standing)).toMatchObject({ vmIds: ["a", "c"], request: { intent: "heal" } });
    }
  });

  test("offers to plan again what is out of date, and leaves alone what can still run", () => {
    const mixed = group(part("a"), part("b", { state: "out-of-date" }));
    const standing = standingOf(mixed, null);
    expect(names(standing.runnable)).toEqual(["a"]);
    expect(askedAgain(mixed, standing)?.vmIds).toEqual(["b"]);
  });

  test("counts a VM as accepted only when each of its losses is ticked, and of no other VM", () => {
    const [a, b] = [part("a"), part("b")];
    const one = new Set([tickOf("a", "l1")]);
    expect(isAccepted(a, one)).toBe(false);
    expect(acknowledgedOf([a, b], one)).toEqual([{ vmId: "a", losses: ["l1"] }]);
    const both = new Set([...one, tickOf("a", "l2")]);
    expect(isAccepted(a, both)).toBe(true);
    expect(isAccepted(b, both)).toBe(false);
  });

  test("has a box for each loss, and says of a part that is out of date what has changed", () => {
    const draw = (shown: PlannedPart) =>
      renderToStaticMarkup(
        <GroupPart
          part={shown}
          state={shown.plan.state}
          refusal={null}
          job={null}
          ticked={new Set()}
          onTick={() => {}}
        />,
      );
    expect(draw(part("a")).match(/type="checkbox"/g)).toHaveLength(2);
    const changes = [{ what: "record", was: "revision 1", is: "revision 2" }];
    expect(draw(part("a", { state: "out-of-date", changes }))).toContain("revision 2");
  });
});
