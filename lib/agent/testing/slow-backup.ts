/**
 * Makes a backup job last as long as a test wants: QEMU copies a small image in a blink. Through a monitor of its own,
 * because libvirt's is busy with the begin while the job already runs.
 */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { LabVm } from "#lab/vm.ts";

const SLOW_BYTES_PER_SECOND = 64 * 1024;
const CATCH_MS = 20_000;

/** Gives a stopped VM a further monitor at each socket, from its next start on. @param define tells libvirt the definition */
export async function addMonitors(
  vm: LabVm,
  sockets: readonly string[],
  define: (xml: string) => Promise<void>,
): Promise<void> {
  const xml = await vm.virsh(["dumpxml", "--inactive", vm.id]);
  const args = sockets
    .flatMap((socket) => ["-qmp", `unix:${socket},server=on,wait=off`])
    .map((value) => `<qemu:arg value='${value}'/>`)
    .join("");
  const line = `<qemu:commandline>${args}</qemu:commandline></domain>`;
  const namespace = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";
  await define(xml.replace("<domain ", `<domain ${namespace} `).replace("</domain>", line));
}

type Message = { QMP?: unknown; event?: string; data?: { status?: string; id?: string }; error?: unknown };

export type SlowBackup = {
  /** Resolves when a job on the disk has been caught. */
  caught: Promise<void>;
  /** Lets it go at full speed, also one that begins later. */
  release(): void;
  close(): void;
};

function send(socket: Socket, execute: string, args: Record<string, unknown> = {}): void {
  socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
}

/** Call before the backup begins: the next job on the disk is held at 64 KiB a second as soon as it is there. */
export async function slowDownNextBackup(monitor: string, target: string): Promise<SlowBackup> {
  const socket = connect(monitor);
  const ready = Promise.withResolvers<void>();
  const caught = Promise.withResolvers<void>();
  const timer = setTimeout(() => caught.reject(new Error("no backup job was there to be slowed down")), CATCH_MS);
  let device = "";
  let isReleased = false;
  socket.on("error", ready.reject);
  createInterface(socket).on("line", (line) => {
    const message = JSON.parse(line) as Message;
    if (message.QMP !== undefined) send(socket, "qmp_capabilities");
    else if (message.event === "JOB_STATUS_CHANGE") {
      const { id = "", status } = message.data ?? {};
      if (!id.startsWith(`backup-${target}-`) || status !== "running" || device !== "" || isReleased) return;
      device = id;
      send(socket, "block-job-set-speed", { device, speed: SLOW_BYTES_PER_SECOND });
    } else if (message.event === undefined && device === "") ready.resolve();
    else if (message.event === undefined) {
      clearTimeout(timer);
      if (message.error === undefined) caught.resolve();
      else caught.reject(new Error(`the job was over too soon: ${line}`));
    }
  });
  caught.promise.catch(() => undefined);
  await ready.promise;
  return {
    caught: caught.promise,
    release() {
      isReleased = true;
      if (device !== "") send(socket, "block-job-set-speed", { device, speed: 0 });
    },
    close() {
      clearTimeout(timer);
      socket.destroy();
    },
  };
}

/**
 * Calls `then` in the moment in which libvirt has taken note that the backup job of a disk is over, and is about to say
 * so: it has the files closed after that. Resolves when it listens.
 */
export async function atEndOfBackup(monitor: string, target: string, then: () => void): Promise<Socket> {
  const socket = connect(monitor);
  const ready = Promise.withResolvers<void>();
  socket.on("error", ready.reject);
  const lines = createInterface(socket);
  lines.on("error", ready.reject);
  lines.on("line", (line) => {
    const { QMP, event, data } = JSON.parse(line) as Message;
    if (QMP !== undefined) send(socket, "qmp_capabilities");
    else if (event === undefined) ready.resolve();
    else if (event === "JOB_STATUS_CHANGE" && data?.status === "null" && data.id?.startsWith(`backup-${target}-`))
      then();
  });
  await ready.promise;
  return socket;
}
