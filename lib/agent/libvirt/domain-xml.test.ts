import { describe, expect, it } from "vitest";
import { readAllTargets, readDomainXml } from "./domain-xml.ts";

const domain = (disks: string, id = "") =>
  `<domain type='kvm'${id}><name>a</name><uuid>1</uuid><devices>${disks}</devices></domain>`;
const disk = (inside: string, attributes = "type='file' device='disk'") => `<disk ${attributes}>${inside}</disk>`;
const TARGET = "<target dev='vda' bus='virtio'/>";

describe("domain XML", () => {
  it("takes writable disks only: no CD-ROM, floppy or read-only one", () => {
    const file = "<source file='/a'/><driver name='qemu' type='qcow2'/>";
    const xml = domain(
      disk(`${file}${TARGET}`) +
        disk(`${file}<target dev='sda'/>`, "type='file' device='cdrom'") +
        disk(`${file}<target dev='fda'/>`, "type='file' device='floppy'") +
        disk(`${file}<target dev='vdb'/><readonly/>`),
    );
    expect(readDomainXml(xml).disks.map((d) => d.target)).toEqual(["vda"]);
    expect(readAllTargets(xml)).toEqual(["vda", "sda", "fda", "vdb"]);
  });

  it("reads the chain that libvirt gave to QEMU, the active layer first, and stops at its end", () => {
    const xml = domain(
      disk(
        `<driver name='qemu' type='qcow2'/><source file='/top' index='3'/><backingStore type='file' index='2'>` +
          `<format type='qcow2'/><source file='/mid'/><backingStore type='file' index='1'><format type='raw'/>` +
          `<source file='/base &amp; more'/><backingStore/></backingStore></backingStore>${TARGET}`,
      ),
      " id='7'",
    );
    const read = readDomainXml(xml);
    expect(read.id).toBe(7);
    expect(read.disks[0]?.layers).toEqual([
      { index: "3", type: "file", source: "/top", format: "qcow2" },
      { index: "2", type: "file", source: "/mid", format: "qcow2" },
      { index: "1", type: "file", source: "/base & more", format: "raw" },
    ]);
  });

  it("shows network, volume and missing sources without taking them for files", () => {
    const xml = domain(
      disk(`<source protocol='rbd' name='pool/image'/>${TARGET}`, "type='network' device='disk'") +
        disk(`<source dev='/dev/vg/lv'/><target dev='vdb'/>`, "type='block' device='disk'") +
        disk(`<target dev='vdc'/>`),
    );
    expect(readDomainXml(xml).disks.map((d) => [d.type, d.source, d.format])).toEqual([
      ["network", "rbd:pool/image", "raw"],
      ["block", "/dev/vg/lv", "raw"],
      ["file", null, "raw"],
    ]);
  });

  it("keeps blanks of a path, and treats a single disk as a list", () => {
    const xml = domain(disk(`<source file='/a b '/>${TARGET}`));
    expect(readDomainXml(xml).disks.map((d) => d.source)).toEqual(["/a b "]);
  });

  it("fails on what is not a whole domain", () => {
    for (const wrong of ["", "<domain/>", domain(disk(TARGET)).slice(0, -12), "<network/>"]) {
      expect(() => readDomainXml(wrong)).toThrow();
    }
  });
});
