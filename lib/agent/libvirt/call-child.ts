/** A call child: one connection, one request at a time, synchronous calls. It may block for ever; its parent kills it. */
import type { ObserveError } from "#chain/model.ts";
import { toObserveError } from "../failure.ts";
import { abortPull, beginPull, readOwner } from "./backup.ts";
import { lookAtBackup } from "./backup-look.ts";
import { abortPush, beginPush } from "./backup-push.ts";
import { changeCheckpoints, sweepTemporary } from "./change.ts";
import { Connection, LibvirtFailure, OpenFailure } from "./connection.ts";
import { readDomainXml } from "./domain-xml.ts";
import type { Out } from "./ffi.ts";
import { inspectDomain, readState, readXml, withDomain } from "./inspect.ts";
import type { CallReply, CallRequest } from "./ipc.ts";
import { releaseFiles } from "./left-targets.ts";
import { listDomains, listIds } from "./list.ts";
import { probeWriter } from "./locks.ts";
import { RuntimeIds } from "./runtime-id.ts";

const uri = process.argv[2] ?? "";
const send = (reply: CallReply): void => {
  process.send?.(reply);
};
const connection = new Connection(uri, Number(process.argv[3]), (phase) => send({ type: phase }));
const runtimeIds = new RuntimeIds(uri);
const reader = { connection, runtimeIds };

/** libvirt's version numbers: 1,000,000 × major + 1,000 × minor + release. */
function formatVersion(n: number): string {
  return `${Math.floor(n / 1_000_000)}.${Math.floor(n / 1000) % 1000}.${n % 1000}`;
}

function readVersions() {
  return connection.run((handle) => {
    const version: Out<number | bigint> = [0];
    if (connection.lib.connectGetLibVersion(handle, version) < 0) connection.fail();
    const libvirt = formatVersion(Number(version[0]));
    const known = connection.lib.connectGetVersion(handle, version) === 0 && Number(version[0]) > 0;
    return { libvirt, qemu: known ? formatVersion(Number(version[0])) : null };
  });
}

function perform(request: CallRequest): unknown {
  switch (request.op) {
    case "versions":
      return readVersions();
    case "list":
      return connection.run((handle) => listDomains(connection, handle, runtimeIds));
    case "ids":
      return connection.run((handle) => listIds(connection, handle));
    case "inspect":
      return connection.run((handle) => inspectDomain(reader, handle, request.input.vmId, request.input.qmp));
    case "state":
      return connection.run((handle) =>
        withDomain(connection, handle, request.input.vmId, (domain) =>
          readState(reader, domain, request.input.vmId, readDomainXml(readXml(connection, domain)).id),
        ),
      );
    case "writers":
      return request.input.paths.map(probeWriter);
    case "owner":
      return connection.run((handle) => readOwner(connection, handle, request.input.vmId, runtimeIds));
    case "beginPull":
      // Never a second time on a new connection: the daemon may have begun it.
      return beginPull(connection, connection.open(), request.input);
    case "sweep":
      return sweepTemporary(reader, request.input.vmId);
    case "change":
      return changeCheckpoints(reader, request.input);
    case "abortPull":
      return connection.run((handle) => abortPull(connection, handle, request.input));
    case "backupLook":
      return connection.run((handle) => lookAtBackup(reader, handle, request.input));
    case "releaseFiles":
      return connection.run((handle) => releaseFiles(reader, handle, request.input));
    case "beginPush":
      return beginPush(reader, connection.open(), request.input);
    case "abortPush":
      return connection.run((handle) => abortPush(reader, handle, request.input));
  }
}

const isHostScope = (thrown: unknown): boolean =>
  thrown instanceof OpenFailure || (thrown instanceof LibvirtFailure && thrown.lost);

process.on("message", (request: CallRequest) => {
  runtimeIds.beginRequest();
  try {
    send({ type: "result", id: request.id, value: perform(request) });
  } catch (thrown) {
    const error: ObserveError = toObserveError(thrown);
    const libvirt = thrown instanceof LibvirtFailure ? thrown.libvirt : null;
    send({ type: "error", id: request.id, scope: isHostScope(thrown) ? "host" : "domain", error, libvirt });
  }
});
process.on("disconnect", () => process.exit(0));
