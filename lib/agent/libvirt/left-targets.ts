/**
 * A libvirt that is killed while one disk of a backup is done and another is not forgets to take the done one's file out of
 * QEMU (seen with libvirt 9.0.0). QEMU then holds the file until the VM stops, and nothing of libvirt's ends that.
 */
import { HostFailure } from "../failure.ts";
import { namesOf, QUERY_NAMED_BLOCK_NODES, readBlockNodes } from "../qemu/nodes.ts";
import type { Ptr } from "./ffi.ts";
import { monitorCommand, type Reader, readJob, readPower, withDomain } from "./inspect.ts";
import { isActive } from "./power.ts";

/** libvirt's names for what it adds: `libvirt-6-format` on top of `libvirt-6-storage`, so that this order takes both. */
const OF_LIBVIRT = /^libvirt-\d+-(format|storage)$/;

/**
 * Takes these files out of a QEMU that holds them for no job. What is in use QEMU refuses, and it stays. null: there is no such
 * domain; else how many nodes went.
 */
export function releaseFiles(
  { connection: c }: Reader,
  handle: Ptr,
  { vmId, files }: { vmId: string; files: string[] },
): number | null {
  return withDomain(c, handle, vmId, (domain) => {
    if (!isActive(readPower(c, domain)) || readJob(c, domain).operation !== "none") return 0;
    const nodes = readBlockNodes(monitorCommand(c, domain, QUERY_NAMED_BLOCK_NODES));
    if (!nodes.ok) throw new HostFailure(nodes.error);
    const names = namesOf(nodes.value, files)
      .filter((name) => OF_LIBVIRT.test(name))
      .sort();
    return names.filter((name) => {
      const command = { execute: "blockdev-del", arguments: { "node-name": name } };
      return "return" in JSON.parse(monitorCommand(c, domain, JSON.stringify(command)));
    }).length;
  });
}
