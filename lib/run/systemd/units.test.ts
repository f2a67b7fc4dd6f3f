/** What the shipped units must not take away, because the program would not work; each of these was met under them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const read = (name: string): [string, string][] =>
  readFileSync(join(import.meta.dirname, `driftline-${name}.service`), "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value] as [string, string]];
    });
const valuesOf = (unit: [string, string][], key: string) => unit.flatMap(([k, value]) => (k === key ? [value] : []));

describe("the agent's unit", () => {
  const unit = read("agent");

  test("lets it see QEMU's processes, from which it learns whose account a backup's file is for", () => {
    expect([...valuesOf(unit, "ProtectProc"), ...valuesOf(unit, "ProcSubset")]).toEqual([]);
  });

  test("lets it give a file to one of its groups, and nothing else of what needs privileges", () => {
    expect(valuesOf(unit, "SystemCallFilter")).toEqual(["@system-service", "~@privileged @resources", "@chown"]);
    expect([valuesOf(unit, "CapabilityBoundingSet"), valuesOf(unit, "AmbientCapabilities")]).toEqual([[""], [""]]);
  });

  test("leaves a qemu-img that changes an image to its end", () => {
    expect(valuesOf(unit, "KillMode")).toEqual(["process"]);
  });
});

describe("the web unit", () => {
  test("lets the first start build: all that Next writes is writable, and is there before it is made so", () => {
    const writable = ["/opt/driftline/.next", "/opt/driftline/next-env.d.ts"];
    expect(valuesOf(read("web"), "ReadWritePaths").flatMap((value) => value.split(" "))).toEqual(writable);
    const [before = ""] = valuesOf(read("web"), "ExecStartPre");
    expect(before.startsWith("+")).toBe(true);
    for (const path of writable) expect(before).toContain(path.slice("/opt/driftline/".length));
  });
});

describe("both units", () => {
  test.each(["agent", "web"])("%s: Node may compile while it runs, and nobody is root", (name) => {
    const unit = read(name);
    expect(valuesOf(unit, "MemoryDenyWriteExecute")).toEqual([]);
    expect(valuesOf(unit, "NoNewPrivileges")).toEqual(["yes"]);
    expect(valuesOf(unit, "User").every((user) => user.startsWith("driftline"))).toBe(true);
  });

  test("run as two users: the web process cannot do what the agent's may", () => {
    expect(valuesOf(read("web"), "User")).not.toEqual(valuesOf(read("agent"), "User"));
  });
});
