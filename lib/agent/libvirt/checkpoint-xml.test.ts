import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NOT_IN_XML } from "../operations/delete-bitmaps.ts";
import { TEMPORARY_CHECKPOINT } from "../operations/host-steps.ts";
import {
  buildCheckpointXml,
  readAnyCheckpoint,
  readCheckpoints,
  readUsualCheckpoint,
  withParent,
} from "./checkpoint-xml.ts";
import { buildXml } from "./xml.ts";

const word = fc.stringMatching(/^[A-Za-z0-9_.\- &<>'"äß]{1,20}$/).filter((text) => text.trim() === text);
const checkpoint = fc.record({
  id: word,
  parentId: fc.option(word),
  seconds: fc.integer({ min: 0, max: 4_000_000_000 }),
  disks: fc.option(fc.array(fc.record({ target: word, mode: fc.constantFrom("bitmap", "no"), bitmap: word }))),
});

/** As libvirt formats it: the parent before the time, single quotes, no blanks that matter. */
function makeXml(c: {
  id: string;
  parentId: string | null;
  seconds: number;
  disks: { target: string; mode: string; bitmap: string }[] | null;
}): string {
  return buildXml({
    domaincheckpoint: {
      name: c.id,
      ...(c.parentId === null ? {} : { parent: { name: c.parentId } }),
      creationTime: String(c.seconds),
      ...(c.disks === null
        ? {}
        : {
            disks: {
              disk: c.disks.map((d) =>
                d.mode === "no"
                  ? { "@name": d.target, "@checkpoint": "no" }
                  : { "@name": d.target, "@checkpoint": "bitmap", "@bitmap": d.bitmap },
              ),
            },
          }),
    },
  });
}
const expected = (c: Parameters<typeof makeXml>[0]) => ({
  id: c.id,
  parentId: c.parentId,
  createdAt: new Date(c.seconds * 1000).toISOString(),
  hasDisksElement: c.disks !== null,
  disks: (c.disks ?? []).flatMap((d) => (d.mode === "bitmap" ? [{ target: d.target, bitmap: d.bitmap }] : [])),
});

const REAL = `<domaincheckpoint>
  <name>cp2</name>
  <parent>
    <name>cp1</name>
  </parent>
  <creationTime>1795402020</creationTime>
  <disks>
    <disk name='vda' checkpoint='bitmap' bitmap='cp2'/>
    <disk name='vdb' checkpoint='no'/>
  </disks>
</domaincheckpoint>
`;

describe("checkpoint XML", () => {
  it("reads what libvirt 9 writes by the fast reader, leaving out disks without a bitmap", () => {
    expect(readUsualCheckpoint(REAL)).toEqual({
      id: "cp2",
      parentId: "cp1",
      createdAt: "2026-11-23T02:47:00.000Z",
      hasDisksElement: true,
      disks: [{ target: "vda", bitmap: "cp2" }],
    });
  });

  it("reads any checkpoint right, and the fast reader reads it the same way or not at all", () => {
    fc.assert(
      fc.property(checkpoint, (made) => {
        const xml = makeXml(made);
        expect(readAnyCheckpoint(xml)).toEqual(expected(made));
        const fast = readUsualCheckpoint(xml);
        if (fast !== null) expect(fast).toEqual(expected(made));
      }),
    );
  });

  it("tells a definition without a disks element from one with none in it", () => {
    const head = "<domaincheckpoint><name>a</name><creationTime>1</creationTime>";
    for (const read of [readUsualCheckpoint, readAnyCheckpoint]) {
      expect(read(`${head}</domaincheckpoint>`)?.hasDisksElement).toBe(false);
      expect(read(`${head}<disks/></domaincheckpoint>`)?.hasDisksElement).toBe(true);
    }
  });

  it("fails on XML that is cut off, has a document type or no name, instead of reading less", () => {
    for (const broken of [REAL.slice(0, -30), `<!DOCTYPE x [<!ENTITY a "b">]>${REAL}`, "<domaincheckpoint/>", ""]) {
      expect(() => readCheckpoints([broken])).toThrow();
    }
  });

  it("marks a checkpoint as current only where it is the single leaf", () => {
    const make = (id: string, parentId: string | null) => makeXml({ id, parentId, seconds: 1, disks: [] });
    const current = (xmls: string[]) => readCheckpoints(xmls).flatMap((c) => (c.current ? [c.id] : []));
    expect(current([make("a", null), make("b", "a")])).toEqual(["b"]);
    expect(current([make("a", null), make("b", "a"), make("c", "a")])).toEqual([]);
    expect(current([])).toEqual([]);
  });

  it("reads a checkpoint without a time as one of 1970: libvirt leaves a time of 0 out", () => {
    expect(readCheckpoints(["<domaincheckpoint><name>a</name></domaincheckpoint>"])[0]?.createdAt).toBe(
      "1970-01-01T00:00:00.000Z",
    );
  });

  it("shows the temporary definition of a killed agent to nobody", () => {
    const make = (id: string, parentId: string | null) => makeXml({ id, parentId, seconds: 1, disks: [] });
    const read = readCheckpoints([make(TEMPORARY_CHECKPOINT, null), make("a", TEMPORARY_CHECKPOINT)]);
    expect(read.map(({ id, parentId, current }) => [id, parentId, current])).toEqual([["a", null, true]]);
  });

  it("builds definitions that read back as they were meant, whatever a bitmap is called", () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,40}$/);
    const markup = fc.constantFrom("<", ">", "&", '"', "'", "&lt;", "&amp;", "&#65;", "]]>", "<!--", "a");
    const bitmap = fc.oneof(
      fc.string({ unit: "grapheme", minLength: 1 }).filter((b) => !NOT_IN_XML.test(b)),
      fc.array(markup, { minLength: 1, maxLength: 8 }).map((parts) => parts.join("")),
    );
    const seconds = fc.integer({ min: 0, max: 4_000_000_000 });
    fc.assert(
      fc.property(
        name,
        fc.option(name),
        seconds,
        fc.array(bitmap, { minLength: 1, maxLength: 3 }),
        (id, parentId, at, bitmaps) => {
          const createdAt = new Date(at * 1000).toISOString();
          const disks = bitmaps.map((b, i) => ({ target: `vd${"abc"[i]}`, bitmap: b }));
          const xml = buildCheckpointXml({ id, parentId, createdAt, disks });
          expect(readAnyCheckpoint(xml)).toEqual({ id, parentId, createdAt, hasDisksElement: true, disks });
          const moved = readAnyCheckpoint(withParent(xml, "p"));
          expect(moved).toEqual({ id, parentId: "p", createdAt, hasDisksElement: true, disks });
        },
      ),
    );
  });
});
