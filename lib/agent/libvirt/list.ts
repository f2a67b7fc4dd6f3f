/** All domains of the host. */
import { type Connection, orNull } from "./connection.ts";
import { readDomainXml } from "./domain-xml.ts";
import { VIR_ERR } from "./errors.ts";
import { type Out, type Ptr, takePointers } from "./ffi.ts";
import { readPower, readXml } from "./inspect.ts";
import type { ListedDomain } from "./ipc.ts";
import { isActive } from "./power.ts";
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

/** The domain with its writable disks. @throws LibvirtFailure, also `NO_DOMAIN` where it vanished since it was listed */
function readListed(c: Connection, domain: Ptr, vmId: string, runtimeIds: RuntimeIds): ListedDomain {
  const xml = readDomainXml(readXml(c, domain));
  const power = readPower(c, domain);
  const name = c.lib.domainGetName(domain);
  return {
    vmId,
    name,
    power,
    persistent: c.lib.domainIsPersistent(domain) === 1,
    runtimeId: isActive(power) ? runtimeIds.find({ vmId, name, domainId: xml.id }) : null,
    disks: xml.disks.map(({ target, source, format }) => ({ target, source, format })),
  };
}

/** Every domain. One that vanished between the list and its read is left out; any other that cannot be read fails it. */
export function listDomains(c: Connection, handle: Ptr, runtimeIds: RuntimeIds): ListedDomain[] {
  const listed = withAllDomains(c, handle, (domain, vmId) =>
    orNull(() => readListed(c, domain, vmId, runtimeIds), VIR_ERR.NO_DOMAIN),
  );
  return listed.filter((domain) => domain !== null);
}
