import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readAnyCheckpoint, readCheckpoints, readUsualCheckpoint } from "./checkpoint-xml.ts";
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
});
