/** Changes of a domain's checkpoints inside a call child, in order until the first that fails. */
import { HostFailure, observeError } from "../failure.ts";
import { hostError, toHostError } from "../host-error.ts";
import { type Change, type ChangeOutcome, type Pin, TEMPORARY_CHECKPOINT } from "../operations/host-steps.ts";
import { buildCheckpointXml, withParent } from "./checkpoint-xml.ts";
import { type Connection, LibvirtFailure } from "./connection.ts";
import { CREATE_REDEFINE, deleteCheckpoint, lookupCheckpoint } from "./delete-checkpoint.ts";
import { readDomainXml } from "./domain-xml.ts";
import { VIR_ERR } from "./errors.ts";
import type { Ptr } from "./ffi.ts";
import { isAtWork, readJob, readState, readXml, withDomain } from "./inspect.ts";
import { isActive } from "./power.ts";
import type { RuntimeIds } from "./runtime-id.ts";

const CREATE_REDEFINE_VALIDATE = 4;
const XML_NO_DOMAIN = 2;

type Reader = { connection: Connection; runtimeIds: RuntimeIds };

/** One run, and no job: a second job would wait 30 s for the lock, and what it does to a bitmap is not ours to know. */
function assertFree(reader: Reader, domain: Ptr, { vmId, runtimeId }: Pin): void {
  const c = reader.connection;
  const state = readState(reader, domain, vmId, readDomainXml(readXml(c, domain)).id);
  if (state.runtimeId !== runtimeId) {
    const words = `${runtimeId ?? "not running"} → ${state.runtimeId ?? "not running"}`;
    throw new HostFailure(observeError("domain-changed", "The domain was started or stopped meanwhile.", words));
  }
  if (!isActive(state.power)) return;
  const job = readJob(c, domain);
  if (isAtWork(job)) {
    throw new HostFailure(observeError("lock-held", `A ${job.operation} job is on this domain.`));
  }
}

function reparented(c: Connection, domain: Ptr, id: string, parentId: string): string {
  const checkpoint = lookupCheckpoint(c, domain, id);
  if (checkpoint === null) throw new HostFailure(observeError("domain-changed", "The checkpoint is gone.", id));
  try {
    return withParent(c.lib.checkpointGetXml(checkpoint, XML_NO_DOMAIN) ?? c.fail(), parentId);
  } finally {
    c.lib.checkpointFree(checkpoint);
  }
}

function create(c: Connection, domain: Ptr, xml: string, flags: number): void {
  const checkpoint = c.lib.checkpointCreateXml(domain, xml, flags);
  if (checkpoint === null) c.fail();
  c.lib.checkpointFree(checkpoint);
}

/**
 * What is left to do of a change. Definitions are built beforehand, so that nothing of ours lies between two calls.
 * @param before the change that is made just before it
 */
function prepare(c: Connection, domain: Ptr, change: Change, before: Change | undefined): () => void {
  if (change.do === "delete") {
    const { id, metadataOnly } = change;
    const isWritten = before?.do === "define" && before.id === id;
    return () => deleteCheckpoint(c, domain, id, { metadataOnly, isWritten });
  }
  if (change.do === "reparent") {
    return () => create(c, domain, reparented(c, domain, change.id, change.parentId), CREATE_REDEFINE);
  }
  const xml = buildCheckpointXml(change);
  return () => create(c, domain, xml, CREATE_REDEFINE | (change.validate ? CREATE_REDEFINE_VALIDATE : 0));
}

function typeError(change: Change, thrown: unknown) {
  const error = toHostError(thrown);
  if (change.do !== "delete" && change.parentId !== null && error.libvirtCode === VIR_ERR.INVALID_ARG) {
    const { hostMessage, libvirtCode, libvirtDomain } = error;
    return hostError("parent-not-found", "libvirt does not know the parent.", {
      hostMessage,
      libvirtCode,
      libvirtDomain,
    });
  }
  return error;
}

/** @throws LibvirtFailure when the connection was lost on the way: then nobody can say how far it came */
export function changeCheckpoints(reader: Reader, input: Pin & { changes: Change[] }): ChangeOutcome | null {
  const c = reader.connection;
  // Reads may open a new connection; a change is never sent twice.
  c.run((handle) => withDomain(c, handle, input.vmId, () => true));
  return withDomain(c, c.open(), input.vmId, (domain): ChangeOutcome => {
    assertFree(reader, domain, input);
    deleteCheckpoint(c, domain, TEMPORARY_CHECKPOINT, { metadataOnly: true });
    const steps = input.changes.map((change, i, all) => ({ change, make: prepare(c, domain, change, all[i - 1]) }));
    for (const [done, { change, make }] of steps.entries()) {
      try {
        make();
      } catch (thrown) {
        if (!(thrown instanceof LibvirtFailure) || thrown.lost) throw thrown;
        return { done, error: typeError(change, thrown) };
      }
    }
    return { done: input.changes.length, error: null };
  });
}

/** Its bitmap stays: whoever wanted it gone asks again. */
export function sweepTemporary({ connection: c }: Reader, vmId: string): boolean {
  return (
    c.run((handle) =>
      withDomain(c, handle, vmId, (domain) =>
        deleteCheckpoint(c, domain, TEMPORARY_CHECKPOINT, { metadataOnly: true }),
      ),
    ) ?? false
  );
}
