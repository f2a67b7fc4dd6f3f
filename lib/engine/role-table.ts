/** The table of SECURITY.md: which role may make which call, from the code that decides it. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { agentContract } from "#contract/agent.ts";
import { ROLES } from "#contract/engine.ts";
import { hasRole, NEEDED } from "./actor.ts";
import { ROUTES } from "./http/routes.ts";

export const SECURITY_FILE = path.join(process.cwd(), "SECURITY.md");
const BEGIN = "<!-- roles: written by `node lib/run/security-table.ts` -->";
const END = "<!-- end of roles -->";

const templateOf = (pattern: RegExp, params: string[]): string => {
  const names = [...params];
  return pattern.source
    .slice(1, -1)
    .replaceAll("\\", "")
    .replaceAll("([^/]+)", () => `{${names.shift() ?? ""}}`);
};

function roleTable(): string {
  const engine = ROUTES.map(({ method, pattern, params, call }) => {
    const needed = NEEDED[call] ?? "admin";
    const cells = ROLES.map((role) => (hasRole({ kind: "program", name: role, role }, needed) ? "yes" : "–"));
    return `| ${call} | \`${method} /api/v1${templateOf(pattern, params)}\` | ${cells.join(" | ")} |`;
  });
  const agent = Object.entries(agentContract).map(([name, procedure]) => {
    const { method = "POST", path: address = "" } = procedure["~orpc"].route;
    const who = name === "pair" ? "the one-time code" : "a token that the agent knows";
    return `| ${name} | \`${method} /v1${address}\` | ${who} |`;
  });
  return [
    BEGIN,
    "",
    `| engine's call | address | ${ROLES.join(" | ")} |`,
    `|---|---|${ROLES.map(() => "---").join("|")}|`,
    ...engine.sort(),
    "",
    "| agent's call | address | needs |",
    "|---|---|---|",
    ...agent.sort(),
    "",
    END,
  ].join("\n");
}

/** SECURITY.md as it should be: everything but the table as it is. @throws when it has no place for the table */
export function withRoleTable(text: string): string {
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new Error("SECURITY.md has no place for the table of roles");
  return text.slice(0, from) + roleTable() + text.slice(to + END.length);
}

export const readSecurity = (): string => readFileSync(SECURITY_FILE, "utf8");
