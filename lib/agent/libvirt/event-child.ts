/**
 * The event child: libvirt's event loop, one connection, its callbacks. Never shared with calls: a second event loop
 * in one process, or one that was terminated with callbacks registered, crashes.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { HostEvent } from "#contract/agent.ts";
import { observeError, toObserveError } from "../failure.ts";
import { readEndedJob } from "./backup-look.ts";
import { typeOpenError } from "./errors.ts";
import { blockJobEvent, lifecycleEvent, type RawEvent } from "./event-words.ts";
import {
  BlockJobCallback,
  CloseCallback,
  DeviceCallback,
  decodeTypedParams,
  JobCompletedCallback,
  type Libvirt,
  LifecycleCallback,
  loadLibvirt,
  type Ptr,
  readLastError,
  registerCallback,
} from "./ffi.ts";
import type { EventChildMessage } from "./ipc.ts";

const KEEPALIVE_SECONDS = 5;
const KEEPALIVE_COUNT = 3;
const RETRY_MS = 500;
/** virConnectCloseReason. */
const CLOSE_REASON = ["error", "end of file", "keepalive timeout", "closed by the client"];
/** virDomainEventID. */
const EVENT = { lifecycle: 0, deviceRemoved: 15, blockJob2: 16, deviceAdded: 19, jobCompleted: 21 };

const uri = process.argv[2] ?? "";
const send = (message: EventChildMessage): void => {
  process.send?.(message);
};
const now = (): string => new Date().toISOString();

/** "" when the domain does not say it. */
function readUuid(lv: Libvirt, domain: Ptr): string {
  const buffer = Buffer.alloc(37);
  return lv.domainGetUuid(domain, buffer) < 0 ? "" : buffer.toString("latin1", 0, 36);
}

/** Name and UUID of a domain that a callback lends us; no RPC. */
function report(lv: Libvirt, domain: Ptr, raw: RawEvent): void {
  const vmId = readUuid(lv, domain);
  if (vmId === "") return;
  const event: HostEvent = {
    type: "domain",
    vmId,
    name: lv.domainGetName(domain),
    at: now(),
    ...raw,
  };
  send({ type: "event", event });
}

let closed: string | null = null;

function makeCallbacks(lv: Libvirt) {
  return {
    close: registerCallback((_: Ptr, reason: number) => {
      closed = CLOSE_REASON[reason] ?? `reason ${reason}`;
    }, CloseCallback),
    byEvent: [
      [
        EVENT.lifecycle,
        registerCallback((_: Ptr, domain: Ptr, event: number, detail: number) => {
          report(lv, domain, lifecycleEvent(event, detail));
          return 0;
        }, LifecycleCallback),
      ],
      [
        EVENT.blockJob2,
        registerCallback((_: Ptr, domain: Ptr, disk: string, type: number, status: number) => {
          const raw = blockJobEvent(disk, type, status);
          if (raw !== null) report(lv, domain, raw);
        }, BlockJobCallback),
      ],
      [
        EVENT.jobCompleted,
        registerCallback((_: Ptr, domain: Ptr, params: Ptr, count: number) => {
          const ended = readEndedJob(decodeTypedParams(params, count), null);
          if (ended !== null) send({ type: "job-ended", vmId: readUuid(lv, domain), ended });
          report(lv, domain, { event: "job-ended", detail: null });
        }, JobCompletedCallback),
      ],
      [
        EVENT.deviceAdded,
        registerCallback((_: Ptr, domain: Ptr, alias: string) => {
          report(lv, domain, { event: "other", detail: `device-added ${alias}` });
        }, DeviceCallback),
      ],
      [
        EVENT.deviceRemoved,
        registerCallback((_: Ptr, domain: Ptr, alias: string) => {
          report(lv, domain, { event: "other", detail: `device-removed ${alias}` });
        }, DeviceCallback),
      ],
    ] as const,
  };
}

function subscribe(lv: Libvirt, handle: Ptr, callbacks: ReturnType<typeof makeCallbacks>): void {
  lv.connectSetKeepAlive(handle, KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
  lv.connectRegisterCloseCallback(handle, callbacks.close, null, null);
  for (const [id, callback] of callbacks.byEvent) {
    // An event that this libvirt does not know is done without; lifecycle exists since 0.8.
    lv.connectDomainEventRegisterAny(handle, null, id, callback, null, null);
  }
}

async function connect(lv: Libvirt): Promise<Ptr> {
  for (;;) {
    send({ type: "opening" });
    const handle = lv.connectOpen(uri);
    if (handle !== null) return handle;
    send({ type: "disconnected", at: now(), error: typeOpenError(readLastError(lv)) });
    await sleep(RETRY_MS);
  }
}

async function run(): Promise<never> {
  const lv = loadLibvirt(Number(process.argv[3]));
  lv.eventRegisterDefaultImpl();
  // Bounds the blocking of the loop, so that messages get through.
  lv.eventAddTimeout(250, lv.noop, null, null);
  const callbacks = makeCallbacks(lv);
  for (;;) {
    const handle = await connect(lv);
    closed = null;
    subscribe(lv, handle, callbacks);
    send({ type: "connected", at: now() });
    let saidAt = 0;
    while (closed === null) {
      lv.eventRunDefaultImpl();
      if (Date.now() - saidAt > 1000) {
        saidAt = Date.now();
        send({ type: "alive" });
        // A daemon that died before the callback was registered reports nothing.
        if (lv.connectIsAlive(handle) !== 1) closed ??= "not alive";
      }
      await nextTurn();
    }
    const error = observeError("libvirt-unreachable", "The connection to libvirt was closed.", closed);
    send({ type: "disconnected", at: now(), error });
    lv.connectClose(handle);
  }
}

process.on("disconnect", () => process.exit(0));
run().catch((thrown) => {
  send({ type: "disconnected", at: now(), error: toObserveError(thrown) });
  process.exitCode = 1;
  process.disconnect?.();
});
