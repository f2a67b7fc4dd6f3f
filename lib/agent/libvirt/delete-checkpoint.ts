/** One checkpoint of libvirt's, looked up and deleted inside a call child. */
import { type Connection, LibvirtFailure } from "./connection.ts";
import { VIR_ERR } from "./errors.ts";
import type { Ptr } from "./ffi.ts";

export const CREATE_REDEFINE = 1;
const DELETE_METADATA_ONLY = 2;
const XML_NO_DOMAIN = 2;

/** null: libvirt lists none of that name. Whoever gets one frees it. */
export function lookupCheckpoint(c: Connection, domain: Ptr, id: string): Ptr {
  const checkpoint = c.lib.checkpointLookupByName(domain, id, 0);
  if (checkpoint !== null) return checkpoint;
  try {
    return c.fail();
  } catch (thrown) {
    if (thrown instanceof LibvirtFailure && thrown.code === VIR_ERR.NO_DOMAIN_CHECKPOINT) return null;
    throw thrown;
  }
}

export function hasCheckpoint(c: Connection, domain: Ptr, id: string): boolean {
  const checkpoint = lookupCheckpoint(c, domain, id);
  if (checkpoint === null) return false;
  c.lib.checkpointFree(checkpoint);
  return true;
}

/**
 * With its bitmaps, which only a domain that runs allows, or the metadata alone. False: there was none.
 * @param isWritten it was defined a moment ago, and libvirt said that it was
 */
export function deleteCheckpoint(
  c: Connection,
  domain: Ptr,
  id: string,
  { metadataOnly, isWritten = false }: { metadataOnly: boolean; isWritten?: boolean },
): boolean {
  const checkpoint = lookupCheckpoint(c, domain, id);
  if (checkpoint === null) return false;
  try {
    if (!isWritten) settleFile(c, domain, checkpoint);
    if (c.lib.checkpointDelete(checkpoint, metadataOnly ? DELETE_METADATA_ONLY : 0) < 0) c.fail();
    return true;
  } finally {
    c.lib.checkpointFree(checkpoint);
  }
}

/**
 * libvirt writes a definition to `<name>.xml.new` and renames that. Killed in between it reads `.new` at its next start
 * like any other file, and a deletion takes only `<name>.xml` away: the checkpoint would be back after the start after that.
 * Written once more as it is, it has the one name that is taken away. See lib/decisions/deleting-on-a-host.md.
 */
function settleFile(c: Connection, domain: Ptr, checkpoint: Ptr): void {
  try {
    const xml = c.lib.checkpointGetXml(checkpoint, XML_NO_DOMAIN) ?? c.fail();
    const same = c.lib.checkpointCreateXml(domain, xml, CREATE_REDEFINE);
    if (same === null) c.fail();
    c.lib.checkpointFree(same);
  } catch (thrown) {
    // What libvirt does not take from its own hand it can still delete.
    if (!(thrown instanceof LibvirtFailure) || thrown.lost) throw thrown;
  }
}
