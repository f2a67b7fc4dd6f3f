import { describe, expect, it } from "vitest";
import { readImage, readImageInfo, typeImageError } from "./images.ts";

describe("images of stopped domains", () => {
  it.each([
    [
      `qemu-img: Could not open '/a': Failed to get shared "write" lock\nIs another process using the image [/a]?`,
      "image-locked",
    ],
    ["qemu-img: Could not open '/a': Could not open '/a': Permission denied", "permission-denied"],
    ["qemu-img: Could not open '/a': Could not open '/a': No such file or directory", "image-missing"],
    ["qemu-img: Could not open '/a': Image is not in qcow2 format", "unreadable"],
    ["qemu-img: Could not open '/a': Could not read qcow2 header: Input/output error", "internal"],
    ["qemu-img: Could not open '/a': Stale file handle", "internal"],
  ])("types %j as %s", (words, code) => {
    expect(typeImageError(words)).toMatchObject({ code, hostMessage: words });
  });

  it("reads flags, and leaves unknown what an image does not say: the dirty count", () => {
    const bitmaps = [
      { name: "a", granularity: 65_536, flags: ["auto"] },
      { name: "b", granularity: 65_536, flags: ["in-use", "auto"] },
      { name: "c", granularity: 65_536, flags: [] },
    ];
    const data = { compat: "1.1", bitmaps };
    const info = [
      { filename: "/top", format: "qcow2", "virtual-size": 10, "format-specific": { type: "qcow2", data } },
      { filename: "/base", format: "raw", "virtual-size": 10 },
    ];
    const { layers, virtualSize } = readImageInfo(JSON.stringify(info));
    expect(virtualSize).toBe(10);
    expect(layers[0]?.bitmaps.map((b) => [b.name, b.recording, b.inconsistent, b.dirtyBytes])).toEqual([
      ["a", true, false, null],
      ["b", true, true, null],
      ["c", false, false, null],
    ]);
    expect(layers[1]).toMatchObject({ depth: 1, path: "/base", qcow2Compat: null, bitmaps: [] });
  });

  it("refuses a source that QEMU could take for a protocol or an option", async () => {
    for (const path of ["nbd://host/x", "json:{}", "relative", "-U", ""]) {
      expect(await readImage(path, "qcow2", { forceShare: false })).toMatchObject({
        ok: false,
        error: { code: "unsupported-source" },
      });
    }
  });
});
