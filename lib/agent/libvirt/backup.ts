/** A pull-mode backup job, only to look at a bitmap of a running domain. Never asks for a checkpoint. */
import { HostFailure, observeError } from "../failure.ts";
import { type Connection, LibvirtFailure } from "./connection.ts";
import { readAllTargets, readDomainXml } from "./domain-xml.ts";
import { VIR_ERR } from "./errors.ts";
import type { Ptr } from "./ffi.ts";
import { readJob, readXml, withDomain } from "./inspect.ts";
import type { CallOps } from "./ipc.ts";
import type { RuntimeIds } from "./runtime-id.ts";
import { attr, child, parseXml } from "./xml.ts";

/** The domain's QEMU, its account, and the targets of all its disks, read-only ones too. @throws HostFailure */
export function readOwner(
  c: Connection,
  handle: Ptr,
  vmId: string,
  runtimeIds: RuntimeIds,
): CallOps["owner"]["output"] {
  return withDomain(c, handle, vmId, (domain) => {
    const xml = readXml(c, domain);
    const run = { vmId, name: c.lib.domainGetName(domain), domainId: readDomainXml(xml).id };
    const process = runtimeIds.findProcess(run);
    if (process === null) return null;
    const { pid, uid, gid } = process;
    return { pid, uid, gid, disks: readAllTargets(xml) };
  });
}

/** Begins the job that `xml` describes. Refuses when any job is on the domain: a second one would wait 30 s. */
export function beginPull(c: Connection, handle: Ptr, { vmId, xml }: { vmId: string; xml: string }): boolean {
  const begun = withDomain(c, handle, vmId, (domain) => {
    const job = readJob(c, domain);
    if (job.operation !== "none") {
      throw new HostFailure(observeError("lock-held", `A ${job.operation} job is on this domain.`));
    }
    if (c.lib.domainBackupBegin(domain, xml, null, 0) < 0) c.fail();
    return true;
  });
  return begun ?? false;
}

/** Aborts the pull job that listens on `socketPath`, and no other. */
export function abortPull(c: Connection, handle: Ptr, input: { vmId: string; socketPath: string }): boolean {
  const aborted = withDomain(c, handle, input.vmId, (domain) => {
    const xml = c.lib.domainBackupGetXml(domain, 0);
    if (xml === null) {
      try {
        c.fail();
      } catch (thrown) {
        if (thrown instanceof LibvirtFailure && thrown.code === VIR_ERR.NO_DOMAIN_BACKUP) return false;
        throw thrown;
      }
    }
    const server = child(child(parseXml(xml), "domainbackup"), "server");
    if (attr(server, "socket") !== input.socketPath) return false;
    if (c.lib.domainAbortJob(domain) < 0) c.fail();
    return true;
  });
  return aborted ?? false;
}
