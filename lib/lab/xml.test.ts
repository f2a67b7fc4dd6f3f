import { expect, test } from "vitest";
import { checkpointXml, domainXml, parseXml, readCheckpoint } from "./xml.ts";

test("a checkpoint definition names every disk, covered or not, and keeps libvirt's whole seconds", () => {
  const xml = checkpointXml(
    { id: "cp2", parentId: "cp1", createdAt: "2026-01-02T03:04:05.678Z", disks: [{ target: "vda", bitmap: "cp2" }] },
    ["vdb"],
  );
  expect(xml).toContain('<disk name="vda" checkpoint="bitmap" bitmap="cp2">');
  expect(xml).toContain('<disk name="vdb" checkpoint="no">');
  expect(readCheckpoint(xml)).toEqual({
    id: "cp2",
    parentId: "cp1",
    createdAt: "2026-01-02T03:04:05.000Z",
    hasDisksElement: true,
    disks: [{ target: "vda", bitmap: "cp2" }],
  });
});

test("a diskless definition has no disks element at all", () => {
  const xml = checkpointXml({ id: "cp1", createdAt: "2026-01-02T03:04:05Z", disks: [], isDiskless: true }, ["vda"]);
  expect(xml).not.toContain("disks");
  expect(readCheckpoint(xml)).toMatchObject({ parentId: null, hasDisksElement: false, disks: [] });
});

test("a name or path with markup in it stays text", () => {
  const name = `</name><evil/>&"'`;
  const path = `/tmp/<a>&"b".qcow2`;
  const disk = { target: "vda", sizeMiB: 16, format: "qcow2" as const, path };
  const root = parseXml(domainXml({ id: "x", name, disks: [disk] })) as {
    domain: { name: string; devices: { disk: { source: { "@file": string } }[] }; evil?: unknown };
  };
  expect(root.domain.name).toBe(name);
  expect(root.domain.devices.disk[0]?.source["@file"]).toBe(path);
  expect(root.domain.evil).toBeUndefined();
});
