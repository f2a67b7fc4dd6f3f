/** Everything that libvirt and QEMU say of one domain, read in one go inside a call child. */
import { statSync } from "node:fs";
import type { HostCheckpoint, HostJob, ImageIdentity, Power, Read } from "#chain/model.ts";
import { HostFailure, observeError, toObserveError } from "../failure.ts";
import { BlockNodes, QUERY_NAMED_BLOCK_NODES, readBlockNodes } from "../qemu/nodes.ts";
import { readCheckpoints } from "./checkpoint-xml.ts";
import { type Connection, LibvirtFailure, orNull } from "./connection.ts";
import { type DomainDisk, readDomainXml } from "./domain-xml.ts";
import { VIR_ERR, VIR_FROM_QEMU } from "./errors.ts";
import { decodeTypedParams, type Out, type Ptr, takePointers } from "./ffi.ts";
import type { InspectedDisk, Inspection } from "./ipc.ts";
import { isActive, powerOf } from "./power.ts";
import type { RuntimeIds } from "./runtime-id.ts";

const LIST_TOPOLOGICAL = 2;
const XML_NO_DOMAIN = 2;

/** Looks the domain up by its UUID, hands it to `read` and frees it; null when libvirt knows none. */
export function withDomain<T>(c: Connection, handle: Ptr, vmId: string, read: (domain: Ptr) => T): T | null {
  const domain = c.lib.domainLookupByUuid(handle, vmId);
  if (domain === null) return orNull(() => c.fail(), VIR_ERR.NO_DOMAIN);
  try {
    return read(domain);
  } finally {
    c.lib.domainFree(domain);
  }
}

export function readPower(c: Connection, domain: Ptr): Power {
  const state: Out<number> = [0];
  if (c.lib.domainGetState(domain, state, [0], 0) < 0) c.fail();
  return powerOf(state[0]);
}

export function readXml(c: Connection, domain: Ptr): string {
  return c.lib.domainGetXml(domain, 0) ?? c.fail();
}

function listCheckpoints(c: Connection, domain: Ptr): HostCheckpoint[] {
  const out: Out<Ptr> = [null];
  const count = c.lib.domainListAllCheckpoints(domain, out, LIST_TOPOLOGICAL);
  if (count < 0) c.fail();
  const pointers = takePointers(out[0], count);
  try {
    return readCheckpoints(pointers.map((pointer) => c.lib.checkpointGetXml(pointer, XML_NO_DOMAIN) ?? c.fail()));
  } finally {
    for (const pointer of pointers) c.lib.checkpointFree(pointer);
  }
}

/** virDomainJobOperation. */
const OPERATION: Record<number, HostJob["operation"]> = {
  2: "save",
  4: "migration",
  5: "migration",
  6: "snapshot",
  7: "snapshot",
  8: "dump",
  9: "backup",
  10: "snapshot",
};
const NO_JOB: HostJob = { operation: "none", elapsedMs: 0, doneBytes: null, totalBytes: null };
const LOST_BACKUP: HostJob = { ...NO_JOB, operation: "lost-backup" };

/**
 * libvirt notes that it holds a domain for a backup before it notes the backup. Killed in between it finds the one
 * again and not the other: it has no statistics to tell (VIR_ERR_INTERNAL_ERROR of the QEMU driver, "backup job data
 * missing") and no backup (VIR_ERR_NO_DOMAIN_BACKUP). See lib/decisions/a-backup-that-libvirt-lost.md.
 */
function isLostBackup(c: Connection, domain: Ptr, { code, libvirt }: LibvirtFailure): boolean {
  if (code !== VIR_ERR.INTERNAL_ERROR || libvirt?.domain !== VIR_FROM_QEMU) return false;
  if (c.lib.domainBackupGetXml(domain, 0) !== null) return false;
  try {
    return c.fail();
  } catch (thrown) {
    if (thrown instanceof LibvirtFailure && thrown.code === VIR_ERR.NO_DOMAIN_BACKUP) return true;
    throw thrown;
  }
}

export function readJob(c: Connection, domain: Ptr): HostJob {
  const type: Out<number> = [0];
  const params: Out<Ptr> = [null];
  const count: Out<number> = [0];
  if (c.lib.domainGetJobStats(domain, type, params, count, 0) < 0) {
    try {
      c.fail();
    } catch (thrown) {
      // The domain stopped under the read; its state afterwards says so.
      if (thrown instanceof LibvirtFailure && thrown.code === VIR_ERR.OPERATION_INVALID) return NO_JOB;
      if (thrown instanceof LibvirtFailure && isLostBackup(c, domain, thrown)) return LOST_BACKUP;
      throw thrown;
    }
  }
  const stats = decodeTypedParams(params[0], count[0]);
  c.lib.typedParamsFree(params[0], count[0]);
  const number = (name: string): number | null => (typeof stats[name] === "number" ? stats[name] : null);
  // VIR_DOMAIN_JOB_NONE 0, BOUNDED 1, UNBOUNDED 2; 3 and above tell of a job that has ended.
  if (type[0] !== 1 && type[0] !== 2) return NO_JOB;
  return {
    operation: OPERATION[number("operation") ?? 0] ?? "other",
    elapsedMs: number("time_elapsed") ?? 0,
    doneBytes: number("disk_processed") ?? number("data_processed"),
    totalBytes: number("disk_total") ?? number("data_total"),
  };
}

/** Whether something is at work on the domain. A backup that libvirt lost is not: it only keeps others from beginning. */
export const isAtWork = ({ operation }: HostJob): boolean => operation !== "none" && operation !== "lost-backup";

/** A failed part becomes a typed failure of that part; a lost connection ends the whole read. */
function attempt<T>(read: () => T): Read<T> {
  try {
    return { ok: true, value: read() };
  } catch (thrown) {
    if (thrown instanceof LibvirtFailure && thrown.lost) throw thrown;
    return { ok: false, error: toObserveError(thrown) };
  }
}

/** QEMU's own answer through the monitor. libvirt marks the domain as tainted by it (custom-monitor). */
export function monitorCommand(c: Connection, domain: Ptr, command: string): string {
  const out: Out<string | null> = [null];
  if (c.lib.qemuMonitorCommand(domain, command, out, 0) < 0) {
    try {
      c.fail();
    } catch (thrown) {
      if (thrown instanceof LibvirtFailure && !thrown.lost && thrown.error.code === "internal") {
        throw new HostFailure(observeError("qmp-failed", "QEMU's monitor did not answer.", thrown.error.hostMessage));
      }
      throw thrown;
    }
  }
  return out[0] ?? "";
}

function queryNodes(c: Connection, domain: Ptr): BlockNodes {
  const nodes = readBlockNodes(monitorCommand(c, domain, QUERY_NAMED_BLOCK_NODES));
  if (!nodes.ok) throw new HostFailure(nodes.error);
  return new BlockNodes(nodes.value);
}

function readIdentity(disk: DomainDisk): Omit<ImageIdentity, "size"> | null {
  if (disk.source === null || (disk.type !== "file" && disk.type !== "block")) return null;
  try {
    const { dev, ino, rdev } = statSync(disk.source, { bigint: true });
    return { path: disk.source, device: String(disk.type === "block" ? rdev : dev), inode: String(ino) };
  } catch {
    // Missing or not ours to see: the read of the image says which; a half identity would look like another image.
    return null;
  }
}

function toDisk(disk: DomainDisk, live: Read<BlockNodes> | null): InspectedDisk {
  const { layers, ...rest } = disk;
  const identity = readIdentity(disk);
  const foreign = layers.find((layer) => layer.type !== "file" && layer.type !== "block");
  if (foreign !== undefined || disk.source === null) {
    const words = foreign === undefined ? "no source" : `type='${foreign.type}' ${foreign.source ?? ""}`;
    const error = observeError("unsupported-source", "Only files and block devices can be read.", words);
    return { ...rest, identity, live: { ok: false, error } };
  }
  if (live === null) return { ...rest, identity, live: null };
  return { ...rest, identity, live: live.ok ? live.value.read(layers) : live };
}

export type Reader = { connection: Connection; runtimeIds: RuntimeIds };

/** Power and run of a domain now. */
export function readState(
  { connection: c, runtimeIds }: Reader,
  domain: Ptr,
  vmId: string,
  domainId: number | null,
): { power: Power; runtimeId: string | null } {
  const power = readPower(c, domain);
  const find = () => runtimeIds.find({ vmId, name: c.lib.domainGetName(domain), domainId });
  return { power, runtimeId: isActive(power) ? find() : null };
}

/**
 * One read of one domain: state, definition, job, checkpoints, and one QMP query when it runs; then the state again.
 * Throws `domain-changed` when the domain was started, stopped or replaced meanwhile.
 */
export function inspectDomain(reader: Reader, handle: Ptr, vmId: string, qmp: boolean): Inspection | null {
  const c = reader.connection;
  return withDomain(c, handle, vmId, (domain) => {
    const xml = readDomainXml(readXml(c, domain));
    const before = readState(reader, domain, vmId, xml.id);
    const persistent = c.lib.domainIsPersistent(domain) === 1;
    const active = isActive(before.power);
    const checkpoints = attempt(() => listCheckpoints(c, domain));
    const forbidden = observeError("qmp-forbidden", "This site does not let the agent ask QEMU (qmp: forbid).");
    const nodes = !active
      ? null
      : qmp
        ? attempt(() => queryNodes(c, domain))
        : ({ ok: false, error: forbidden } as const);
    const job = active ? attempt(() => readJob(c, domain)) : ({ ok: true, value: NO_JOB } as const);
    const inspection = {
      vmId,
      name: c.lib.domainGetName(domain),
      ...before,
      persistent,
      checkpoints,
      disks: xml.disks.map((disk) => toDisk(disk, nodes)),
      job,
    };
    assertSame(before, readState(reader, domain, vmId, xml.id));
    return inspection;
  });
}

type State = { power: Power; runtimeId: string | null };

/** Running and paused may change into each other; a run may not. */
function assertSame(before: State, after: State | null): void {
  if (after !== null && before.runtimeId === after.runtimeId && isActive(before.power) === isActive(after.power))
    return;
  const words = `${before.power} ${before.runtimeId ?? ""} → ${after?.power ?? "absent"} ${after?.runtimeId ?? ""}`;
  throw new HostFailure(observeError("domain-changed", "The domain was started or stopped during the read.", words));
}
