/** A checkpoint's XML as libvirt formats it. Thousands are read at once, so the usual shape has a fast reader. */
import type { HostCheckpoint } from "#chain/model.ts";
import { type Define, TEMPORARY_CHECKPOINT } from "../operations/host-steps.ts";
import { attr, buildXml, child, children, hasChild, parseXml, text } from "./xml.ts";

type Parsed = Omit<HostCheckpoint, "current">;

const HEAD =
  /^<domaincheckpoint>\s*<name>([^<&]*)<\/name>\s*(?:<description>[^<]*<\/description>\s*)?(?:<parent>\s*<name>([^<&]*)<\/name>\s*<\/parent>\s*)?<creationTime>(\d{1,15})<\/creationTime>\s*/y;
const DISK =
  /<disk name=['"]([^'"&<]*)['"](?: checkpoint=['"](no|bitmap)['"])?(?: bitmap=['"]([^'"&<]*)['"])?(?: size=['"]\d*['"])?\/>\s*/y;
const TAIL = /<\/disks>\s*<\/domaincheckpoint>\s*$/y;
const NO_DISKS = /(<disks\/>\s*)?<\/domaincheckpoint>\s*$/y;
const OPEN_DISKS = "<disks>";

/** 9999-12-31T23:59:59Z: later times have no ISO 8601 form of four digits. */
const LAST_SECOND = 253_402_300_799;

function isoFromSeconds(seconds: string): string {
  if (Number(seconds) > LAST_SECOND) throw new Error(`a checkpoint's creation time is ${seconds}`);
  return new Date(Number(seconds) * 1000).toISOString();
}

/** The shape that libvirt writes for a checkpoint without entities and without its domain; null for any other. */
export function readUsualCheckpoint(xml: string): Parsed | null {
  HEAD.lastIndex = 0;
  const head = HEAD.exec(xml);
  if (head === null) return null;
  let at = HEAD.lastIndex;
  const disks: Parsed["disks"] = [];
  let hasDisksElement = false;
  if (xml.startsWith(OPEN_DISKS, at)) {
    hasDisksElement = true;
    at += OPEN_DISKS.length;
    while (xml[at] === " " || xml[at] === "\n") at += 1;
    DISK.lastIndex = at;
    for (let disk = DISK.exec(xml); disk !== null; disk = DISK.exec(xml)) {
      at = DISK.lastIndex;
      if (disk[2] === "bitmap") disks.push({ target: disk[1] ?? "", bitmap: disk[3] ?? head[1] ?? "" });
    }
    TAIL.lastIndex = at;
    if (!TAIL.test(xml)) return null;
  } else {
    NO_DISKS.lastIndex = at;
    const tail = NO_DISKS.exec(xml);
    if (tail === null) return null;
    hasDisksElement = tail[1] !== undefined;
  }
  return {
    id: head[1] ?? "",
    parentId: head[2] ?? null,
    createdAt: isoFromSeconds(head[3] ?? "0"),
    hasDisksElement,
    disks,
  };
}

/** Any well-formed checkpoint XML. libvirt leaves a time of 0 out. Throws when the name is missing. */
export function readAnyCheckpoint(xml: string): Parsed {
  const root = child(parseXml(xml), "domaincheckpoint");
  const id = text(root, "name");
  const seconds = text(root, "creationTime") ?? "0";
  if (id === null || !/^\d{1,15}$/.test(seconds)) {
    throw new Error("a checkpoint's XML has no name or no readable creation time");
  }
  return {
    id,
    parentId: text(child(root, "parent"), "name"),
    createdAt: isoFromSeconds(seconds),
    hasDisksElement: hasChild(root, "disks"),
    disks: children(child(root, "disks"), "disk")
      .filter((disk) => attr(disk, "checkpoint") === "bitmap")
      .map((disk) => ({ target: attr(disk, "name") ?? "", bitmap: attr(disk, "bitmap") ?? id })),
  };
}

/**
 * Reads the XML of all checkpoints of a domain, in the order given. libvirt has no call that tells its "current"
 * checkpoint: the mark is set where it can be only one (a single leaf), and nowhere else.
 */
export function readCheckpoints(xmls: string[]): HostCheckpoint[] {
  const parsed = xmls
    .map((xml) => readUsualCheckpoint(xml) ?? readAnyCheckpoint(xml))
    // What a killed run of ours has left is nobody's checkpoint; the next change takes it away.
    .filter((c) => c.id !== TEMPORARY_CHECKPOINT)
    .map((c) => (c.parentId === TEMPORARY_CHECKPOINT ? { ...c, parentId: null } : c));
  const parents = new Set(parsed.map((c) => c.parentId));
  const leaves = parsed.filter((c) => !parents.has(c.id));
  const only = leaves.length === 1 ? leaves[0] : undefined;
  return parsed.map((c) => ({
    id: c.id,
    parentId: c.parentId,
    createdAt: c.createdAt,
    current: c === only,
    hasDisksElement: c.hasDisksElement,
    disks: c.disks,
  }));
}

/**
 * The XML of a definition: every disk named with its bitmap, and no domain, which libvirt does not need and which would
 * make every disk that is not named part of the checkpoint.
 */
export function buildCheckpointXml({ id, parentId, createdAt, disks }: Omit<Define, "do">): string {
  return buildXml({
    domaincheckpoint: {
      name: id,
      ...(parentId === null ? {} : { parent: { name: parentId } }),
      creationTime: String(Math.floor(Date.parse(createdAt) / 1000)),
      ...(disks === null
        ? {}
        : {
            disks: {
              disk: disks.map(({ target, bitmap }) => ({
                "@name": target,
                "@checkpoint": "bitmap",
                "@bitmap": bitmap,
              })),
            },
          }),
    },
  });
}

/** The same definition below another parent. */
export function withParent(xml: string, parentId: string): string {
  const document = parseXml(xml);
  const root = child(document, "domaincheckpoint");
  if (root === null) throw new Error("this is not a checkpoint's XML");
  return buildXml({ domaincheckpoint: { ...root, parent: { name: parentId } } });
}
