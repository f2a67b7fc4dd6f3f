/**
 * Makes a backup job last as long as a test wants: QEMU copies a small image in a blink. Through a monitor of its own,
 * because libvirt's is busy with the begin while the job already runs.
 */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import type { LabVm } from "#lab/vm.ts";
import type { FromMonitor, MonitorTask, ToMonitor } from "./slow-monitor.ts";

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

/**
 * Call before the backup begins: the next job on the disk is held at 64 KiB a second as soon as it is there. `caught` rejects
 * when it was over too soon for that, which the machine's load may bring about.
 */
export async function slowDownNextBackup(monitor: string, target: string): Promise<SlowBackup> {
  const task: MonitorTask = { monitor, target };
  const thread = new Worker(new URL("./slow-monitor.ts", import.meta.url), { workerData: task });
  // It waits for events until it is told to close; no test has to end it.
  thread.unref();
  const ready = Promise.withResolvers<void>();
  const caught = Promise.withResolvers<void>();
  const fail = (error: Error): void => {
    ready.reject(error);
    caught.reject(error);
  };
  const timer = setTimeout(() => fail(new Error("no backup job was there to be slowed down")), CATCH_MS);
  thread.on("error", fail);
  thread.on("message", (message: FromMonitor) => {
    if (message.said === "ready") return ready.resolve();
    clearTimeout(timer);
    if (message.said === "caught") caught.resolve();
    else fail(new Error(message.why));
  });
  caught.promise.catch(() => undefined);
  await ready.promise;
  const tell = (what: ToMonitor): void => thread.postMessage(what);
  return {
    caught: caught.promise,
    release: () => tell("release"),
    close() {
      clearTimeout(timer);
      tell("close");
    },
  };
}

const TRIES = 4;

/**
 * Begins a backup and holds its copying on each disk. Where one was over too soon, `undo` is to wait for the job's end and
 * to remove what it left, and it is begun again. @param monitors target to socket
 */
export async function beginHeldBackup(
  monitors: Readonly<Record<string, string>>,
  begin: () => Promise<unknown>,
  undo: () => Promise<unknown>,
): Promise<Map<string, SlowBackup>> {
  for (let tries = 1; ; tries += 1) {
    const held = new Map<string, SlowBackup>();
    for (const [target, monitor] of Object.entries(monitors))
      held.set(target, await slowDownNextBackup(monitor, target));
    await begin();
    const results = await Promise.allSettled([...held.values()].map(({ caught }) => caught));
    const missed = results.find((result) => result.status === "rejected");
    if (missed === undefined) return held;
    for (const slow of held.values()) slow.release();
    if (tries === TRIES) throw missed.reason;
    await undo();
    for (const slow of held.values()) slow.close();
  }
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
