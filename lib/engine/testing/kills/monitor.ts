/** What QEMU itself says of bitmaps. */
import { askQemu } from "../../../agent/testing/ask-qemu.ts";

type Node = { "dirty-bitmaps"?: { name?: string; persistent: boolean }[] };

/** Names of the persistent bitmaps of all disks at this moment; null: nobody answers. `socket`: of a monitor that nobody else uses. */
export async function readBitmapNames(socket: string): Promise<Set<string> | null> {
  const nodes = await askQemu(socket, "query-named-block-nodes", { flat: true }).catch(() => null);
  return nodes === null ? null : namesOf(nodes as Node[]);
}

/** Those that are not persistent are libvirt's own, for the time of a backup. */
const namesOf = (nodes: Node[]): Set<string> =>
  new Set(
    nodes
      .flatMap((node) => node["dirty-bitmaps"] ?? [])
      .flatMap(({ name, persistent }) => (name && persistent ? name : [])),
  );
