import { XMLBuilder, XMLParser } from "fast-xml-parser";
import type { LabDisk } from "./state.ts";

type Xml = Record<string, unknown>;

const builder = new XMLBuilder({ ignoreAttributes: false, attributeNamePrefix: "@", suppressBooleanAttributes: false });
const LISTS = new Set(["disk", "hostdev", "controller"]);
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseTagValue: false,
  parseAttributeValue: false,
  isArray: (name) => LISTS.has(name),
});

export function buildXml(root: Xml): string {
  return builder.build(root) as string;
}

export function parseXml(text: string): Xml {
  return parser.parse(text) as Xml;
}

/** qcow2-v2 is an age of the format (compat 0.10), not another driver. */
export const driverOf = (disk: Pick<LabDisk, "format">) => (disk.format === "raw" ? "raw" : "qcow2");

export function diskXml(disk: LabDisk): Xml {
  return {
    "@type": "file",
    "@device": "disk",
    driver: { "@name": "qemu", "@type": driverOf(disk) },
    source: { "@file": disk.path },
    target: { "@dev": disk.target, "@bus": "virtio" },
  };
}

/** A guest without an operating system, under TCG: its only purpose is a QEMU with these disks. */
export function domainXml(vm: { id: string; name: string; disks: LabDisk[] }): string {
  const spareSlots = Array.from({ length: 12 }, () => ({ "@type": "pci", "@model": "pcie-root-port" }));
  return buildXml({
    domain: {
      "@type": "qemu",
      name: vm.name,
      uuid: vm.id,
      memory: { "@unit": "MiB", "#text": 32 },
      vcpu: 1,
      os: { type: { "@machine": process.arch === "arm64" ? "virt" : "q35", "#text": "hvm" } },
      on_poweroff: "destroy",
      on_crash: "destroy",
      devices: {
        // Ports for disks attached later; q35 has none to spare.
        controller: [{ "@type": "usb", "@model": "none" }, { "@type": "pci", "@model": "pcie-root" }, ...spareSlots],
        disk: vm.disks.map(diskXml),
        memballoon: { "@model": "none" },
        audio: { "@id": "1", "@type": "none" },
      },
    },
  });
}

export type CheckpointDefinition = {
  id: string;
  parentId?: string | null;
  /** ISO 8601; needed to redefine. Cut to whole seconds, libvirt has no finer time. */
  createdAt?: string;
  /** Covered targets. `bitmap` other than the checkpoint's name is a defect that some scenarios want. Empty: all. */
  disks: { target: string; bitmap?: string }[];
  /** Leave the disks element out altogether. */
  isDiskless?: boolean;
};

/** `otherDisks` are marked as not covered: libvirt would add what the list does not name. */
export function checkpointXml(definition: CheckpointDefinition, otherDisks: string[] = []): string {
  const covered = definition.disks.map(({ target, bitmap }) => ({
    "@name": target,
    "@checkpoint": "bitmap",
    ...(bitmap === undefined ? {} : { "@bitmap": bitmap }),
  }));
  const rest = otherDisks.map((target) => ({ "@name": target, "@checkpoint": "no" }));
  return buildXml({
    domaincheckpoint: {
      name: definition.id,
      ...(definition.parentId ? { parent: { name: definition.parentId } } : {}),
      ...(definition.createdAt ? { creationTime: Math.floor(Date.parse(definition.createdAt) / 1000) } : {}),
      ...(definition.isDiskless ? {} : { disks: { disk: [...covered, ...rest] } }),
    },
  });
}

export type BackupRequest = {
  mode: "push" | "pull";
  /** Per target: where the data goes (push) or the scratch file lies (pull), and the base of an incremental. */
  disks: Record<string, { path: string; incremental?: string }>;
  /** Unix socket of a pull job's server. */
  socket?: string;
};

export function backupXml(request: BackupRequest, otherDisks: string[]): string {
  const isPull = request.mode === "pull";
  const disks = Object.entries(request.disks).map(([target, { path, incremental }]) => ({
    "@name": target,
    "@backup": "yes",
    "@type": "file",
    ...(incremental ? { "@backupmode": "incremental", "@incremental": incremental } : { "@backupmode": "full" }),
    ...(isPull ? { scratch: { "@file": path } } : { target: { "@file": path }, driver: { "@type": "qcow2" } }),
  }));
  return buildXml({
    domainbackup: {
      "@mode": request.mode,
      ...(isPull ? { server: { "@transport": "unix", "@socket": request.socket } } : {}),
      disks: { disk: [...disks, ...otherDisks.map((target) => ({ "@name": target, "@backup": "no" }))] },
    },
  });
}

export type ListedCheckpoint = {
  id: string;
  parentId: string | null;
  createdAt: string;
  hasDisksElement: boolean;
  disks: { target: string; bitmap: string }[];
};

/** Reads what `virsh checkpoint-dumpxml --no-domain` prints; only disks with a bitmap count as covered. */
export function readCheckpoint(text: string): ListedCheckpoint {
  const root = parseXml(text).domaincheckpoint as {
    name: string;
    parent?: { name: string };
    creationTime: string;
    disks?: { disk?: Record<string, string>[] } | "";
  };
  const disks = (typeof root.disks === "object" ? root.disks.disk : undefined) ?? [];
  return {
    id: root.name,
    parentId: root.parent?.name ?? null,
    createdAt: new Date(Number(root.creationTime) * 1000).toISOString(),
    hasDisksElement: root.disks !== undefined,
    disks: disks
      .filter((disk) => disk["@checkpoint"] === "bitmap")
      .map((disk) => ({ target: disk["@name"] ?? "", bitmap: disk["@bitmap"] ?? "" })),
  };
}
