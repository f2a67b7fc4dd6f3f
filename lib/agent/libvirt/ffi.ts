/**
 * libvirt's C functions as koffi declares them. Loaded in child processes only: a call that hangs or crashes
 * then costs one child. Synchronous calls only: virGetLastError is per thread and koffi's async calls run elsewhere.
 */
import koffi, { type TypeObject } from "koffi";

/** A C pointer; null for NULL. */
export type Ptr = bigint | null;
/** An out parameter. */
export type Out<T> = [T];

const P = "void *";
const I = "int";
const U = "uint";
const S = "str";

const virError = koffi.struct("virError", {
  code: I,
  domain: I,
  message: S,
  level: I,
  conn: P,
  dom: P,
  str1: S,
  str2: S,
  str3: S,
  int1: I,
  int2: I,
  net: P,
});
/** The value is a union with 8-byte members: without the forced alignment the struct came out 92 bytes instead of 96. */
const virTypedParameter = koffi.struct("virTypedParameter", {
  field: koffi.array("char", 80, "String"),
  type: I,
  value: [8, koffi.array("uint8", 8)],
});

const outPtr = koffi.out(koffi.pointer("void *"));
const outInt = koffi.out(koffi.pointer("int"));
const outULong = koffi.out(koffi.pointer("ulong"));
/** A string that the caller owns: copied, then freed with libc's free. */
const owned = koffi.disposable("VirOwnedStr", "str");

export const LifecycleCallback = koffi.proto("LifecycleCallback", I, [P, P, I, I, P]);
export const BlockJobCallback = koffi.proto("BlockJobCallback", "void", [P, P, S, I, I, P]);
export const JobCompletedCallback = koffi.proto("JobCompletedCallback", "void", [P, P, P, I, P]);
export const DeviceCallback = koffi.proto("DeviceCallback", "void", [P, P, S, P]);
export const CloseCallback = koffi.proto("CloseCallback", "void", [P, I, P]);

type Callback = bigint | null;

/**
 * Loads both libraries; throws when libvirt is not installed. From here on the process dies with its parent.
 * @param parentPid the process that made this one
 */
export function loadLibvirt(parentPid: number) {
  const lv = koffi.load("libvirt.so.0");
  const lq = koffi.load("libvirt-qemu.so.0");
  const libc = koffi.load("libc.so.6");
  const f = <A extends unknown[], R>(name: string, result: string | TypeObject, args: unknown[]) =>
    lv.func(name, result, args as string[]) as unknown as (...a: A) => R;

  const fns = {
    getLastError: f<[], Ptr>("virGetLastError", P, []),
    connectOpen: f<[string], Ptr>("virConnectOpen", P, [S]),
    connectClose: f<[Ptr], number>("virConnectClose", I, [P]),
    connectIsAlive: f<[Ptr], number>("virConnectIsAlive", I, [P]),
    connectSetKeepAlive: f<[Ptr, number, number], number>("virConnectSetKeepAlive", I, [P, I, U]),
    connectGetLibVersion: f<[Ptr, Out<number | bigint>], number>("virConnectGetLibVersion", I, [P, outULong]),
    connectGetVersion: f<[Ptr, Out<number | bigint>], number>("virConnectGetVersion", I, [P, outULong]),
    connectListAllDomains: f<[Ptr, Out<Ptr>, number], number>("virConnectListAllDomains", I, [P, outPtr, U]),
    domainLookupByUuid: f<[Ptr, string], Ptr>("virDomainLookupByUUIDString", P, [P, S]),
    domainGetName: f<[Ptr], string>("virDomainGetName", S, [P]),
    domainGetUuid: f<[Ptr, Buffer], number>("virDomainGetUUIDString", I, [P, P]),
    domainGetState: f<[Ptr, Out<number>, Out<number>, number], number>("virDomainGetState", I, [P, outInt, outInt, U]),
    domainIsPersistent: f<[Ptr], number>("virDomainIsPersistent", I, [P]),
    domainGetXml: f<[Ptr, number], string | null>("virDomainGetXMLDesc", owned, [P, U]),
    domainFree: f<[Ptr], number>("virDomainFree", I, [P]),
    domainListAllCheckpoints: f<[Ptr, Out<Ptr>, number], number>("virDomainListAllCheckpoints", I, [P, outPtr, U]),
    checkpointGetXml: f<[Ptr, number], string | null>("virDomainCheckpointGetXMLDesc", owned, [P, U]),
    checkpointCreateXml: f<[Ptr, string, number], Ptr>("virDomainCheckpointCreateXML", P, [P, S, U]),
    checkpointLookupByName: f<[Ptr, string, number], Ptr>("virDomainCheckpointLookupByName", P, [P, S, U]),
    checkpointDelete: f<[Ptr, number], number>("virDomainCheckpointDelete", I, [P, U]),
    checkpointFree: f<[Ptr], number>("virDomainCheckpointFree", I, [P]),
    domainGetJobStats: f<[Ptr, Out<number>, Out<Ptr>, Out<number>, number], number>("virDomainGetJobStats", I, [
      P,
      outInt,
      outPtr,
      outInt,
      U,
    ]),
    typedParamsFree: f<[Ptr, number], void>("virTypedParamsFree", "void", [P, I]),
    domainBackupBegin: f<[Ptr, string, string | null, number], number>("virDomainBackupBegin", I, [P, S, S, U]),
    domainBackupGetXml: f<[Ptr, number], string | null>("virDomainBackupGetXMLDesc", owned, [P, U]),
    domainGetBlockJobInfo: f<[Ptr, string, Buffer, number], number>("virDomainGetBlockJobInfo", I, [P, S, P, U]),
    domainAbortJob: f<[Ptr], number>("virDomainAbortJob", I, [P]),
    eventRegisterDefaultImpl: f<[], number>("virEventRegisterDefaultImpl", I, []),
    eventRunDefaultImpl: f<[], number>("virEventRunDefaultImpl", I, []),
    eventAddTimeout: f<[number, Ptr, null, null], number>("virEventAddTimeout", I, [I, P, P, P]),
    connectRegisterCloseCallback: f<[Ptr, Callback, null, null], number>("virConnectRegisterCloseCallback", I, [
      P,
      koffi.pointer(CloseCallback),
      P,
      P,
    ]),
    connectDomainEventRegisterAny: f<[Ptr, null, number, Callback, null, null], number>(
      "virConnectDomainEventRegisterAny",
      I,
      [P, P, I, P, P, P],
    ),
    qemuMonitorCommand: lq.func("virDomainQemuMonitorCommand", I, [
      P,
      S,
      koffi.out(koffi.pointer(owned)),
      U,
    ]) as unknown as (domain: Ptr, command: string, out: Out<string | null>, flags: number) => number,
  };

  // libvirt prints every error on stderr unless told otherwise; a C no-op, because the handler may run on any thread.
  const setErrorFunc = f<[null, Ptr], void>("virSetErrorFunc", "void", [P, P]);
  const noop = libc.symbol("getpid") as bigint;
  setErrorFunc(null, noop);
  // The kernel kills this child when its parent dies, also while it is blocked inside a call.
  const prctl = libc.func("prctl", I, [I, "ulong", "ulong", "ulong", "ulong"]) as unknown as (...a: number[]) => number;
  prctl(1 /* PR_SET_PDEATHSIG */, 9, 0, 0, 0);
  // It may have died before we asked for that.
  if (process.ppid !== parentPid) process.exit(0);
  return { ...fns, noop };
}
export type Libvirt = ReturnType<typeof loadLibvirt>;

/** The thread's last error. Read at once: every later call, even a free, resets it. */
export function readLastError(lv: Libvirt): { code: number; domain: number; message: string } {
  const pointer = lv.getLastError();
  if (pointer === null) return { code: 0, domain: 0, message: "libvirt failed without an error" };
  const e = koffi.decode(pointer, virError);
  return { code: e.code, domain: e.domain, message: e.message ?? "" };
}

/** The elements of an array of pointers that libvirt allocated; frees the array, not the elements. */
export function takePointers(array: Ptr, count: number): bigint[] {
  if (array === null) return [];
  const pointers: bigint[] = count > 0 ? koffi.decode(array, koffi.array("void *", count)) : [];
  koffi.free(array);
  return pointers;
}

/** Typed parameters as name → number, boolean or text. */
export function decodeTypedParams(params: Ptr, count: number): Record<string, number | boolean | string> {
  if (params === null || count <= 0) return {};
  const out: Record<string, number | boolean | string> = {};
  const list: { field: string; type: number; value: Uint8Array }[] = koffi.decode(
    params,
    koffi.array(virTypedParameter, count),
  );
  for (const { field, type, value } of list) {
    const view = new DataView(Uint8Array.from(value).buffer);
    if (type === 1) out[field] = view.getInt32(0, true);
    else if (type === 2) out[field] = view.getUint32(0, true);
    else if (type === 3) out[field] = Number(view.getBigInt64(0, true));
    else if (type === 4) out[field] = Number(view.getBigUint64(0, true));
    else if (type === 5) out[field] = view.getFloat64(0, true);
    else if (type === 6) out[field] = view.getInt8(0) !== 0;
    else if (type === 7) {
      const address = view.getBigUint64(0, true);
      if (address !== 0n) out[field] = koffi.decode.string(address);
    }
  }
  return out;
}

export const registerCallback = (fn: (...args: never[]) => unknown, proto: ReturnType<typeof koffi.proto>): bigint =>
  koffi.register(fn, koffi.pointer(proto));
