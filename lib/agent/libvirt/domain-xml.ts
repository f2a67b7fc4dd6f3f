/** What a domain's XML says of its writable disks and of the layers that libvirt gave to QEMU. */
import type { DiskSource } from "./ipc.ts";
import { attr, child, children, hasChild, parseXml, text, type XmlNode } from "./xml.ts";

/** One layer of the source chain; `index` names QEMU's nodes (`libvirt-<index>-format`) while the domain runs. */
export type SourceLayer = { index: string | null; type: string; source: string | null; format: string };
export type DomainDisk = DiskSource & { layers: SourceLayer[] };
export type DomainXml = { id: number | null; disks: DomainDisk[] };

/** The path of a file or block source; what there is to show for the others. */
function sourceOf(type: string, source: XmlNode | null): string | null {
  if (type === "file") return attr(source, "file");
  if (type === "block") return attr(source, "dev");
  if (type === "network") return `${attr(source, "protocol") ?? "network"}:${attr(source, "name") ?? ""}`;
  if (type === "volume") return `${attr(source, "pool") ?? ""}/${attr(source, "volume") ?? ""}`;
  return attr(source, "dir") ?? attr(source, "path");
}

function readLayers(disk: XmlNode, top: DiskSource): SourceLayer[] {
  const layers: SourceLayer[] = [
    { index: attr(child(disk, "source"), "index"), type: top.type, source: top.source, format: top.format },
  ];
  let backing = child(disk, "backingStore");
  while (backing !== null && hasChild(backing, "source")) {
    const type = attr(backing, "type") ?? "file";
    const source = child(backing, "source");
    const index = attr(source, "index") ?? attr(backing, "index");
    layers.push({
      index,
      type,
      source: sourceOf(type, source),
      format: attr(child(backing, "format"), "type") ?? "raw",
    });
    backing = child(backing, "backingStore");
  }
  return layers;
}

/** Reads the domain's id (null when it does not run) and its writable disks: device='disk', no readonly element. */
export function readDomainXml(xml: string): DomainXml {
  const domain = child(parseXml(xml), "domain");
  if (domain === null || text(domain, "uuid") === null) throw new Error("this is not a domain's XML");
  const id = attr(domain, "id");
  const disks = children(child(domain, "devices"), "disk")
    .filter((disk) => (attr(disk, "device") ?? "disk") === "disk" && !hasChild(disk, "readonly"))
    .map((disk): DomainDisk => {
      const type = attr(disk, "type") ?? "file";
      const top = {
        target: attr(child(disk, "target"), "dev") ?? "",
        type,
        source: sourceOf(type, child(disk, "source")),
        format: attr(child(disk, "driver"), "type") ?? "raw",
      };
      return { ...top, layers: readLayers(disk, top) };
    });
  return { id: id === null ? null : Number(id), disks };
}

/** Targets of every disk, whatever its kind. */
export function readAllTargets(xml: string): string[] {
  const disks = children(child(child(parseXml(xml), "domain"), "devices"), "disk");
  return disks.flatMap((disk) => attr(child(disk, "target"), "dev") ?? []);
}
