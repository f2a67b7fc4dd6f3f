import { describe, expect, it } from "vitest";
import { BlockNodes, readBlockNodes } from "./nodes.ts";

const bitmap = { name: "cp1", count: 65_536, granularity: 65_536, recording: true, busy: false, persistent: true };
const node = (name: string, file: string, drv = "qcow2", bitmaps: object[] = []) => ({
  "node-name": name,
  drv,
  file,
  image: { filename: file, "virtual-size": 1024, "format-specific": { type: drv, data: { compat: "1.1" } } },
  "dirty-bitmaps": bitmaps,
});
const nodesOf = (...list: object[]): BlockNodes => {
  const read = readBlockNodes(JSON.stringify({ return: list }));
  if (!read.ok) throw new Error(read.error.message);
  return new BlockNodes(read.value);
};
const layer = (index: string | null, source: string, format = "qcow2") => ({ index, source, format });

describe("QEMU's block nodes", () => {
  it("joins a layer to its format node by file, never to the storage node below it", () => {
    const nodes = nodesOf(node("libvirt-1-storage", "/a", "file"), node("libvirt-1-format", "/a", "qcow2", [bitmap]));
    const read = nodes.read([layer("1", "/a")]);
    expect(read).toMatchObject({
      ok: true,
      value: { virtualSize: 1024, layers: [{ bitmaps: [{ name: "cp1", dirtyBytes: 65_536, inconsistent: false }] }] },
    });
  });

  it("finds the path inside QEMU's json: form", () => {
    const file = `json:${JSON.stringify({ driver: "qcow2", file: { driver: "file", filename: "/a" }, backing: {} })}`;
    expect(nodesOf(node("libvirt-1-format", file)).read([layer("1", "/a")]).ok).toBe(true);
  });

  it("reads every layer of a chain, the active one first", () => {
    const nodes = nodesOf(node("libvirt-2-format", "/base", "qcow2", [bitmap]), node("libvirt-1-format", "/top"));
    const read = nodes.read([layer("1", "/top"), layer("2", "/base")]);
    expect(read).toMatchObject({ ok: true, value: { layers: [{ path: "/top" }, { path: "/base" }] } });
  });

  it("fails the disk when a layer has no node of its own, instead of showing no bitmaps", () => {
    expect(nodesOf(node("libvirt-1-format", "/b")).read([layer("1", "/a")])).toMatchObject({
      ok: false,
      error: { code: "qmp-failed", hostMessage: "/a" },
    });
    const two = nodesOf(node("x", "/a"), node("y", "/a"));
    expect(two.read([layer(null, "/a")]).ok).toBe(false);
  });

  it("skips QEMU's own nameless bitmaps", () => {
    const { name: _, ...nameless } = bitmap;
    const read = nodesOf(node("libvirt-1-format", "/a", "qcow2", [nameless, bitmap])).read([layer("1", "/a")]);
    expect(read.ok && read.value.layers[0]?.bitmaps.map((b) => b.name)).toEqual(["cp1"]);
  });

  it("types QEMU's own error, no JSON, and an unknown shape as qmp-failed", () => {
    const error = JSON.stringify({ error: { class: "GenericError", desc: "no" } });
    for (const reply of [error, "not json", "{}", '{"return":[{}]}']) {
      expect(readBlockNodes(reply)).toMatchObject({ ok: false, error: { code: "qmp-failed" } });
    }
  });
});
