import type { SeenBitmap } from "./vm.ts";
import { parseXml } from "./xml.ts";

export type QmpCommand = { execute: string; arguments?: Record<string, unknown> };
type Virsh = (args: string[]) => Promise<string>;

/** Sends one command through libvirt's monitor connection. libvirt succeeds even when QEMU refuses: that is thrown here. */
export async function runQmp(virsh: Virsh, domain: string, command: QmpCommand): Promise<unknown> {
  const text = await virsh(["qemu-monitor-command", domain, JSON.stringify(command)]);
  const answer = JSON.parse(text) as { return?: unknown; error?: { desc: string } };
  if (answer.error) throw new Error(`QMP ${command.execute}: ${answer.error.desc}`);
  return answer.return;
}

type Node = {
  "node-name": string;
  drv: string;
  file: string;
  "dirty-bitmaps"?: {
    name?: string;
    count: number;
    granularity: number;
    recording: boolean;
    persistent: boolean;
    busy: boolean;
    inconsistent?: boolean;
  }[];
};

async function blockNodes(virsh: Virsh, domain: string): Promise<Node[]> {
  const nodes = await runQmp(virsh, domain, { execute: "query-named-block-nodes", arguments: { flat: true } });
  return nodes as Node[];
}

type Source = { "@file"?: string };
type DiskElement = {
  "@device": string;
  target: { "@dev": string };
  source?: Source;
  backingStore?: Backing | "";
};
type Backing = { source?: Source; backingStore?: Backing | "" };

/** Image files of each disk as the running domain names them, active layer first. */
async function liveLayers(virsh: Virsh, domain: string): Promise<{ target: string; files: string[] }[]> {
  const root = parseXml(await virsh(["dumpxml", domain])) as { domain: { devices: { disk?: DiskElement[] } } };
  return (root.domain.devices.disk ?? [])
    .filter((disk) => disk["@device"] === "disk")
    .map((disk) => {
      const files: string[] = [];
      let layer: Backing | "" | undefined = disk;
      while (layer) {
        if (layer.source?.["@file"]) files.push(layer.source["@file"]);
        layer = layer.backingStore;
      }
      return { target: disk.target["@dev"], files };
    });
}

/** The block node of the format layer (qcow2 or raw) over this file. */
export async function nodeOf(virsh: Virsh, domain: string, file: string): Promise<string> {
  const node = (await blockNodes(virsh, domain)).find((entry) => entry.file === file && entry.drv !== "file");
  if (node === undefined) throw new Error(`No block node over ${file}.`);
  return node["node-name"];
}

/** Every named bitmap of every layer of every disk of a running VM. */
export async function liveBitmaps(virsh: Virsh, domain: string): Promise<SeenBitmap[]> {
  const [layers, nodes] = [await liveLayers(virsh, domain), await blockNodes(virsh, domain)];
  return layers.flatMap(({ target, files }) =>
    files.flatMap((file) =>
      nodes
        .filter((node) => node.file === file && node.drv !== "file")
        .flatMap((node) => node["dirty-bitmaps"] ?? [])
        .flatMap(({ name, count, granularity, recording, persistent, busy, inconsistent }) =>
          name === undefined
            ? []
            : [
                {
                  target,
                  layer: file,
                  name,
                  recording,
                  persistent,
                  busy,
                  inconsistent: inconsistent ?? false,
                  dirtyBytes: count,
                  granularity,
                },
              ],
        ),
    ),
  );
}
