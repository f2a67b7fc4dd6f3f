/** QEMU's answer to query-named-block-nodes, joined to the layers of a domain's disks. */
import { z } from "zod";
import type { DiskLayer, LayerBitmap, Read } from "#chain/model.ts";
import { observeError } from "../failure.ts";

/** One layer of a disk as the domain XML lists it. */
export type WantedLayer = { index: string | null; source: string | null; format: string };
export type LiveDisk = { layers: DiskLayer[]; virtualSize: number | null };

const bitmapSchema = z.object({
  // QEMU lists its own nameless bitmaps while a backup runs.
  name: z.string().optional(),
  count: z.int().min(0),
  granularity: z.int().min(0),
  recording: z.boolean(),
  busy: z.boolean(),
  persistent: z.boolean(),
  inconsistent: z.boolean().optional(),
});
const nodeSchema = z.object({
  "node-name": z.string().optional(),
  drv: z.string(),
  file: z.string(),
  image: z.object({
    filename: z.string(),
    "virtual-size": z.number(),
    "format-specific": z.object({ data: z.object({ compat: z.string().optional() }).optional() }).optional(),
  }),
  "dirty-bitmaps": z.array(bitmapSchema).optional(),
});
type BlockNode = z.infer<typeof nodeSchema>;

/** Drivers that only carry bytes; bitmaps live in the format node above them. */
const PROTOCOLS = new Set(["file", "host_device", "nbd", "rbd", "iscsi", "gluster", "https", "http", "nfs", "nvme"]);

export const QUERY_NAMED_BLOCK_NODES = JSON.stringify({
  execute: "query-named-block-nodes",
  arguments: { flat: true },
});

/** Parses the reply: libvirt passes QEMU's own errors on as an answer. */
export function readBlockNodes(reply: string): Read<BlockNode[]> {
  let json: unknown;
  try {
    json = JSON.parse(reply);
  } catch {
    return { ok: false, error: observeError("qmp-failed", "QEMU's answer is not JSON.", reply.slice(0, 500)) };
  }
  const parsed = z
    .union([z.object({ return: z.array(nodeSchema) }), z.object({ error: z.object({ desc: z.string() }) })])
    .safeParse(json);
  if (!parsed.success) {
    const words = parsed.error.issues[0]?.message ?? null;
    return { ok: false, error: observeError("qmp-failed", "QEMU's list of block nodes has an unknown shape.", words) };
  }
  if ("error" in parsed.data) {
    return { ok: false, error: observeError("qmp-failed", "QEMU refused to list its nodes.", parsed.data.error.desc) };
  }
  return { ok: true, value: parsed.data.return };
}

/** The image path of a node; with options of its own QEMU shows `json:{…}` instead of the plain path. */
function pathOf(node: BlockNode): string {
  if (!node.file.startsWith("json:")) return node.file;
  try {
    let value: unknown = JSON.parse(node.file.slice("json:".length));
    while (typeof value === "object" && value !== null) {
      if ("filename" in value && typeof value.filename === "string") return value.filename;
      value = "file" in value ? value.file : null;
    }
  } catch {
    // Not a path that we can compare: the node is then found by nothing, and the disk reads as failed.
  }
  return node.file;
}

function toBitmaps(node: BlockNode): LayerBitmap[] {
  const bitmaps: LayerBitmap[] = [];
  for (const b of node["dirty-bitmaps"] ?? []) {
    if (b.name === undefined || b.name === "") continue;
    bitmaps.push({
      name: b.name,
      recording: b.recording,
      busy: b.busy,
      persistent: b.persistent,
      inconsistent: b.inconsistent ?? false,
      dirtyBytes: b.count,
      granularity: b.granularity,
    });
  }
  return bitmaps;
}

/** All nodes that hold one of these files, those that only carry its bytes too. */
export const namesOf = (nodes: BlockNode[], files: readonly string[]): string[] =>
  nodes.flatMap((node) => (files.includes(pathOf(node)) ? (node["node-name"] ?? []) : []));

/** Index over one answer, so that many disks are joined without walking the nodes for each. */
export class BlockNodes {
  readonly #byName = new Map<string, BlockNode>();
  readonly #byPath = new Map<string, BlockNode[]>();

  constructor(nodes: BlockNode[]) {
    for (const node of nodes) {
      if (PROTOCOLS.has(node.drv)) continue;
      if (node["node-name"] !== undefined) this.#byName.set(node["node-name"], node);
      const path = pathOf(node);
      this.#byPath.set(path, [...(this.#byPath.get(path) ?? []), node]);
    }
  }

  /** The format node of a layer: libvirt's name for it where the file agrees, else the only one with that file. */
  #find(layer: WantedLayer): BlockNode | null {
    if (layer.source === null) return null;
    const named = layer.index === null ? undefined : this.#byName.get(`libvirt-${layer.index}-format`);
    if (named !== undefined && pathOf(named) === layer.source) return named;
    const same = (this.#byPath.get(layer.source) ?? []).filter((n) => n.drv === layer.format);
    return same.length === 1 ? (same[0] ?? null) : null;
  }

  /** The disk's layers from the top down. A layer without its node fails the read: no bitmaps seen is not none there. */
  read(layers: WantedLayer[]): Read<LiveDisk> {
    const out: DiskLayer[] = [];
    let virtualSize: number | null = null;
    for (const [depth, layer] of layers.entries()) {
      const node = this.#find(layer);
      if (node === null && layer.format !== "raw") {
        const error = observeError("qmp-failed", "QEMU shows no node for a layer of this disk.", layer.source);
        return { ok: false, error };
      }
      if (depth === 0) virtualSize = node?.image["virtual-size"] ?? null;
      out.push({
        depth,
        path: layer.source ?? "",
        format: node?.drv ?? layer.format,
        qcow2Compat: node?.image["format-specific"]?.data?.compat ?? null,
        bitmaps: node === null ? [] : toBitmaps(node),
      });
    }
    return { ok: true, value: { layers: out, virtualSize } };
  }
}
