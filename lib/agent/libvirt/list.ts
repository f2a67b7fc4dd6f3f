/** All domains of the host. */
import type { Connection } from "./connection.ts";
import { readDomainXml } from "./domain-xml.ts";
import { type Out, type Ptr, takePointers } from "./ffi.ts";
import { isActive, readPower } from "./inspect.ts";
import type { ListedDomain } from "./ipc.ts";
import type { RuntimeIds } from "./runtime-id.ts";

function withAllDomains<T>(c: Connection, handle: Ptr, read: (domain: Ptr, vmId: string) => T): T[] {
  const out: Out<Ptr> = [null];
  const count = c.lib.connectListAllDomains(handle, out, 0);
  if (count < 0) c.fail();
  const domains = takePointers(out[0], count);
  const buffer = Buffer.alloc(37);
  try {
    return domains.map((domain) => {
      c.lib.domainGetUuid(domain, buffer);
      return read(domain, buffer.toString("latin1", 0, 36));
    });
  } finally {
    for (const domain of domains) c.lib.domainFree(domain);
  }
}

export const listIds = (c: Connection, handle: Ptr): string[] => withAllDomains(c, handle, (_, vmId) => vmId);

/** Every domain with its writable disks. One that vanished between the list and its read is left out. */
export function listDomains(c: Connection, handle: Ptr, runtimeIds: RuntimeIds): ListedDomain[] {
  const listed = withAllDomains(c, handle, (domain, vmId): ListedDomain | null => {
    const text = c.lib.domainGetXml(domain, 0);
    if (text === null) return null;
    const xml = readDomainXml(text);
    const power = readPower(c, domain);
    return {
      vmId,
      name: c.lib.domainGetName(domain),
      power,
      persistent: c.lib.domainIsPersistent(domain) === 1,
      runtimeId: isActive(power) ? runtimeIds.find(vmId, xml.id) : null,
      disks: xml.disks.map(({ target, source, format }) => ({ target, source, format })),
    };
  });
  return listed.filter((domain) => domain !== null);
}
