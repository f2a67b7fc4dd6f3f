import { describe, expect, test } from "vitest";
import { agentContract } from "#contract/agent.ts";
import { ROLES } from "#contract/engine.ts";
import { hasRole, NEEDED, requireRole } from "./actor.ts";
import { ROUTES } from "./http/routes.ts";
import { readSecurity, withRoleTable } from "./role-table.ts";

describe("roles", () => {
  test("every call of the contract has a line of its own, and no line is without a call", () => {
    expect(Object.keys(NEEDED).sort()).toEqual(ROUTES.map((route) => route.call).sort());
    expect(ROUTES.length).toBeGreaterThanOrEqual(33);
  });

  test("a call that is not listed needs an admin", () => {
    for (const role of ROLES.slice(0, -1)) {
      expect(() => requireRole({ kind: "program", name: role, role }, "forgotten.call")).toThrow("admin");
    }
  });

  test("a viewer changes nothing, and hosts are an administrator's alone", () => {
    const viewer = { kind: "program", name: "v", role: "viewer" } as const;
    const operator = { kind: "program", name: "o", role: "operator" } as const;
    for (const { call, method } of ROUTES) {
      // What concerns only the caller is the caller's: own password, own sessions.
      if (method !== "GET" && !call.startsWith("account."))
        expect([call, hasRole(viewer, NEEDED[call] ?? "admin")]).toEqual([call, false]);
      if (call.startsWith("hosts.") && method !== "GET" && call !== "hosts.observe") {
        expect([call, hasRole(operator, NEEDED[call] ?? "admin")]).toEqual([call, false]);
      }
    }
  });

  test("SECURITY.md says of both APIs what the code does; else run: node lib/run/security-table.ts", () => {
    const text = readSecurity();
    expect(text).toBe(withRoleTable(text));
    for (const name of Object.keys(agentContract)) expect(text).toContain(`| ${name} | `);
  });
});
