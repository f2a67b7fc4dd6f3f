/**
 * Every call that changes something, from the contract itself: who may not is refused and changes nothing; who may leaves
 * exactly the audit row that says so; and neither stands without the other, whichever of the two cannot be written.
 */
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROLES } from "#contract/engine.ts";
import { NEEDED } from "./actor.ts";
import { CALLS } from "./auth/handle-auth.ts";
import { ROUTES } from "./http/routes.ts";
import { type Case, contractCases, outsideCases, type Row, type Subject } from "./testing/change-cases.ts";
import { type ChangeStand, openChangeStand, SITE } from "./testing/change-stand.ts";
import { type Answer, call, type KeyRole, snapshot } from "./testing/rig.ts";

let stand: ChangeStand;
let cases: Record<string, Case>;
let outside: ReturnType<typeof outsideCases>;
beforeAll(async () => {
  stand = await openChangeStand();
  cases = contractCases(stand);
  outside = outsideCases(stand);
});
afterAll(() => stand?.close());

const CHANGING = ROUTES.filter(({ method }) => method !== "GET");
/** Calls whose row does not stand in the transaction of their change, or that have none. The cases say why. */
const WITHOUT_ROW = ["plans.create", "planGroups.create"];
const ROW_APART = ["hosts.observe", "vms.observe", "vms.validate"];
const OUTSIDE_WITHOUT_ROW = ["POST /api/auth/oidc/start"];

const caseOf = (name: string): Case => {
  const found = cases[name];
  if (!found)
    throw new Error(`${name} is a call that changes something: say in change-cases.ts how, and what its row is`);
  return found;
};
const methodOf = (name: string) => CHANGING.find((route) => route.call === name)?.method ?? "";

/** Answers with the request's id as well. */
async function send(name: string, { address, body, cookie }: Subject, role: KeyRole = "admin") {
  const headers: Record<string, string> = { "idempotency-key": randomUUID() };
  const as = cookie === undefined ? { role } : { role: null };
  const more: Record<string, string> = cookie === undefined ? {} : { cookie, origin: SITE };
  const answer: Answer = await call(stand.engine, methodOf(name), address, {
    ...as,
    body,
    headers: { ...headers, ...more },
  });
  return { answer, traceId: answer.headers.get("x-trace-id") ?? "" };
}
const rowsOf = (traceId: string) =>
  stand.query("select actor, role, action, subject, outcome from audit_log where trace_id = $1 order by id", [traceId]);

/** The tables that are not as they were; the audit has its own check. */
async function changedBy(work: () => Promise<unknown>): Promise<string[]> {
  const read = async () =>
    new Map(
      (JSON.parse(await snapshot(stand.url, ["audit_log", "auth_rate_limits"])) as [string, unknown][]).map(
        ([name, rows]) => [name, JSON.stringify(rows)],
      ),
    );
  const before = await read();
  await work();
  const after = await read();
  return [...after.keys()].filter((name) => before.get(name) !== after.get(name));
}

/** Transactions that write to these tables (rows of the audit: those that say done) cannot be committed meanwhile. */
async function unwritable<T>(tables: string[], work: () => Promise<T>): Promise<T> {
  await stand.query(`create or replace function refuse_commit() returns trigger language plpgsql as $$
    begin
      if tg_table_name = 'audit_log' then
        if new.outcome <> 'done' then return null; end if;
      end if;
      raise exception 'planted: this cannot be committed';
    end $$`);
  for (const table of tables)
    await stand.query(`create constraint trigger planted after insert or update or delete on ${table}
      deferrable initially deferred for each row execute function refuse_commit()`);
  try {
    return await work();
  } finally {
    for (const table of tables) await stand.query(`drop trigger planted on ${table}`);
  }
}

describe("which calls there are", () => {
  test("every call of the contract that changes something has a case here, and no case is without a call", () => {
    expect(Object.keys(cases).sort()).toEqual(CHANGING.map((route) => route.call).sort());
  });

  test("every other address that takes a change has one, too", () => {
    const api = path.join(process.cwd(), "app/api");
    const routes = readdirSync(api, { recursive: true }).filter((name) => String(name).endsWith("route.ts"));
    expect(routes.map(String).sort()).toEqual([
      "auth/[...all]/route.ts",
      "setup/route.ts",
      "v1/[...rest]/route.ts",
      "welcome/route.ts",
    ]);
    const addresses = Object.entries(CALLS).map(([address, method]) => `${method} /api/auth${address}`);
    expect(Object.keys(outside).sort()).toEqual([...addresses, "POST /api/setup", "POST /api/welcome"].sort());
  });

  test("the calls without a row of their own transaction are these, each with its reason, and no others", () => {
    const withReason = Object.entries(cases).flatMap(([name, one]) => (one.why === undefined ? [] : [name]));
    expect(withReason.sort()).toEqual([...WITHOUT_ROW, ...ROW_APART].sort());
    const others = Object.entries(outside).flatMap(([name, one]) => (one.why === undefined ? [] : [name]));
    expect(others).toEqual(OUTSIDE_WITHOUT_ROW);
  });

  test("roles are asked for in one place, and beyond it only where a plan brings its own", () => {
    const root = path.join(process.cwd(), "lib/engine");
    const files = readdirSync(root, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith(".ts") && !name.includes(".test.") && !name.startsWith("testing/"));
    const using = (pattern: RegExp) =>
      files.filter((name) => pattern.test(readFileSync(path.join(root, name), "utf8")));
    expect(using(/\brequireRole\(/).sort()).toEqual(["actor.ts", "guard.ts"]);
    expect(using(/\b(assertRole|hasRole)\(/).sort()).toEqual([
      "actor.ts",
      "backups/create-backup.ts",
      "bundle/collect.ts",
      "events.ts",
      "jobs/cancel-job.ts",
      "plans/apply-plan.ts",
      "plans/groups.ts",
      "role-table.ts",
    ]);
    // The contract is served in two ways, over HTTP and to pages on the server: both through the guard.
    expect(using(/\bawait guard\(\{|^ +guard\(\{/m).sort()).toEqual(["http/handle.ts", "server.ts"]);
    expect(using(/import \{ router \}/).sort()).toEqual(["http/handle.ts", "server.ts"]);
  });
});

describe.each(CHANGING.map((route) => route.call))("%s", (name) => {
  test("each role that is too low is refused, changes nothing, and the refusal is written down", async () => {
    const one = caseOf(name);
    const needed = one.needed ?? NEEDED[name] ?? "admin";
    const tooLow = ROLES.slice(0, ROLES.indexOf(needed));
    if (tooLow.length === 0) return;
    const subject = await one.make();
    const host = stand.hostState();
    for (const role of tooLow) {
      let traceId = "";
      const changed = await changedBy(async () => {
        const sent = await send(name, subject, role);
        expect(sent.answer).toMatchObject({ status: 403, body: { code: "forbidden" } });
        traceId = sent.traceId;
      });
      expect({ role, changed }).toEqual({ role, changed: [] });
      expect(await rowsOf(traceId)).toMatchObject([{ actor: `key:${role}`, role, action: name, outcome: "refused" }]);
    }
    expect(stand.hostState()).toBe(host);
  });

  test("done, it has changed what it says and has exactly its rows", async () => {
    const one = caseOf(name);
    const subject = await one.make();
    let traceId = "";
    const changed = await changedBy(async () => {
      const sent = await send(name, subject);
      expect(sent.answer.status, JSON.stringify(sent.answer.body)).toBeLessThan(300);
      traceId = sent.traceId;
    });
    expect(changed.filter((table) => !one.reads?.includes(table) || one.changes.includes(table))).toEqual(one.changes);
    const whole: Partial<Row> = { actor: "key:admin", role: "admin", action: name, outcome: "done" };
    expect(await rowsOf(traceId)).toMatchObject(subject.rows.map((row) => ({ ...whole, ...row })));
    expect(await rowsOf(traceId)).toHaveLength(WITHOUT_ROW.includes(name) ? 0 : subject.rows.length);
  });

  test("whichever cannot be written, the change or its row, the other does not stand either", async () => {
    const one = caseOf(name);
    if (one.why !== undefined) return;
    for (const tables of [["audit_log"], one.changes]) {
      const subject = await one.make();
      let traceId = "";
      const changed = await changedBy(() =>
        unwritable(tables, async () => {
          traceId = (await send(name, subject)).traceId;
        }),
      );
      expect(changed.filter((table) => one.changes.includes(table) && !one.reads?.includes(table))).toEqual([]);
      const said = (await rowsOf(traceId)).filter((row) => row.outcome === "done");
      expect({ tables, said }).toEqual({ tables, said: [] });
    }
  });
});

const OUTSIDE = [
  ...Object.entries(CALLS).map(([address, method]) => `${method} /api/auth${address}`),
  "POST /api/welcome",
  "POST /api/setup",
];
describe.each(OUTSIDE)("%s", (name) => {
  const found = () => {
    const one = outside[name];
    if (!one) throw new Error(`${name} has no case`);
    return one;
  };

  test("done, it has changed what it says and has exactly its rows", async () => {
    const { make, changes } = found();
    const { send: ask, rows } = await make();
    const traceId = randomUUID();
    const changed = await changedBy(async () => expect(await ask(traceId)).toBe(true));
    expect(changed.filter((table) => changes.includes(table) || table !== "auth_verifications")).toEqual(changes);
    expect(await rowsOf(traceId)).toMatchObject(rows);
    expect(await rowsOf(traceId)).toHaveLength(rows.length);
  });

  test("whichever cannot be written, the change or its row, the other does not stand either", async () => {
    const { make, changes, why } = found();
    if (why !== undefined) return;
    for (const tables of [["audit_log"], changes]) {
      const { send: ask } = await make();
      const traceId = randomUUID();
      const before = await rowsOf(traceId);
      const changed = await changedBy(() => unwritable(tables, async () => expect(await ask(traceId)).toBe(false)));
      // The provider's answer is used up all the same.
      expect(changed.filter((table) => table !== "auth_verifications")).toEqual([]);
      expect((await rowsOf(traceId)).filter((row) => row.outcome === "done")).toEqual(before);
    }
  });
});

test("no call that reads changes anything", async () => {
  const { vmId, jobId } = await stand.newJob();
  const { backupId } = await stand.newBackup();
  const { groupId } = await stand.newGroup();
  const { planId } = await stand.newPlan();
  const { user } = await stand.newSession();
  const ids: Record<string, string> = {
    ...{ vmId, jobId, backupId, groupId, planId, hostId: stand.hostId, userId: user.id, target: "vda", name: "cp1" },
  };
  const changed = await changedBy(async () => {
    for (const { call: name, pattern, params, method } of ROUTES) {
      // A stream that stays open is looked at where streams are.
      if (method !== "GET" || name === "events") continue;
      let i = 0;
      const address = pattern.source
        .slice(1, -1)
        .replaceAll("\\", "")
        .replaceAll("([^/]+)", () => ids[params[i++] ?? ""] ?? "");
      const answer = await call(stand.engine, "GET", address);
      expect({ name, isRefused: answer.status >= 500 }).toEqual({ name, isRefused: false });
    }
  });
  expect(changed).toEqual([]);
});
