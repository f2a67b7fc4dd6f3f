/**
 * A thread that catches the next backup job on a disk through a QMP monitor. QEMU copies some hundred MiB in a fraction of
 * a second: an event loop that also runs the test answers too late now and then.
 */
import { connect } from "node:net";
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import { parentPort, workerData } from "node:worker_threads";

export type MonitorTask = { monitor: string; target: string };
export type ToMonitor = "release" | "close";
export type FromMonitor = { said: "ready" } | { said: "caught" } | { said: "failed"; why: string };
type Job = { device: string; len: number; offset: number };
type Message = {
  QMP?: unknown;
  id?: string;
  event?: string;
  data?: { status?: string; id?: string };
  error?: unknown;
  return?: Job[];
};

const SLOW_BYTES_PER_SECOND = 64 * 1024;
/** With less left to copy it may be over before a test has done anything. */
const LEAST_LEFT = 8 * 1_048_576;

const { monitor, target } = workerData as MonitorTask;
try {
  // On Linux the calling thread's alone: it runs as soon as QEMU says that the job began, whatever else is busy.
  setPriority(constants.priority.PRIORITY_HIGHEST);
} catch {
  // Only root may. Without it a busy machine lets more jobs get away.
}
const socket = connect(monitor);
let device = "";
let isReleased = false;
const say = (what: FromMonitor): void => parentPort?.postMessage(what);
const send = (id: string, execute: string, args: Record<string, unknown> = {}): void => {
  socket.write(`${JSON.stringify({ execute, arguments: args, id })}\n`);
};

function hear(line: string): void {
  const { QMP, id, event, data, error, return: answer } = JSON.parse(line) as Message;
  if (QMP !== undefined) send("capabilities", "qmp_capabilities");
  else if (event === "JOB_STATUS_CHANGE") begun(data?.id ?? "", data?.status);
  else if (id === "capabilities") say({ said: "ready" });
  else if (id === "speed" && error !== undefined) say({ said: "failed", why: line });
  else if (id === "jobs") {
    const job = answer?.find((one) => one.device === device);
    const isHeld = job !== undefined && job.len - job.offset >= LEAST_LEFT;
    say(isHeld ? { said: "caught" } : { said: "failed", why: `the job was over too soon: ${line}` });
  }
}

function begun(job: string, status: string | undefined): void {
  if (!job.startsWith(`backup-${target}-`) || status !== "running" || device !== "" || isReleased) return;
  device = job;
  send("speed", "block-job-set-speed", { device, speed: SLOW_BYTES_PER_SECOND });
  send("jobs", "query-block-jobs");
}

createInterface(socket).on("line", hear);
socket.on("error", (error) => say({ said: "failed", why: String(error) }));
parentPort?.on("message", (told: ToMonitor) => {
  if (told === "close") {
    socket.destroy();
    parentPort?.close();
    return;
  }
  isReleased = true;
  if (device !== "") send("release", "block-job-set-speed", { device, speed: 0 });
});
