/** libvirt's errors, typed once: code and domain decide, its words are kept for the reader and never matched. */
import type { ObserveError } from "#chain/model.ts";
import { observeError } from "../failure.ts";

/** What virGetLastError gave. `code` and `domain` are libvirt's virErrorNumber and virErrorDomain. */
export type LibvirtError = { code: number; domain: number; message: string };

export const VIR_ERR = {
  INTERNAL_ERROR: 1,
  NO_SUPPORT: 3,
  NO_CONNECT: 5,
  INVALID_CONN: 6,
  INVALID_ARG: 8,
  OPERATION_DENIED: 29,
  SYSTEM_ERROR: 38,
  RPC: 39,
  NO_DOMAIN: 42,
  AUTH_FAILED: 45,
  OPERATION_INVALID: 55,
  CONFIG_UNSUPPORTED: 67,
  OPERATION_TIMEOUT: 68,
  AUTH_CANCELLED: 79,
  OPERATION_UNSUPPORTED: 84,
  RESOURCE_BUSY: 87,
  ACCESS_DENIED: 88,
  AUTH_UNAVAILABLE: 94,
  NO_DOMAIN_CHECKPOINT: 103,
  NO_DOMAIN_BACKUP: 104,
} as const;
/** virErrorDomain: the RPC layer, that is to say the connection and not the thing asked about. */
const VIR_FROM_RPC = 7;
export const VIR_FROM_QEMU = 10;

const DENIED: number[] = [
  VIR_ERR.OPERATION_DENIED,
  VIR_ERR.AUTH_FAILED,
  VIR_ERR.AUTH_CANCELLED,
  VIR_ERR.AUTH_UNAVAILABLE,
  VIR_ERR.ACCESS_DENIED,
];
const NO_CONNECTION: number[] = [VIR_ERR.NO_CONNECT, VIR_ERR.INVALID_CONN, VIR_ERR.RPC];

/** The daemon went away under the call: close, reopen, ask again. 38 alone is any system call that failed. */
export function isConnectionLost(error: LibvirtError): boolean {
  return error.domain === VIR_FROM_RPC || NO_CONNECTION.includes(error.code);
}

/** Types an error of a call on an open connection. */
export function typeLibvirtError(error: LibvirtError): ObserveError {
  const words = `${error.message} (libvirt code ${error.code}, domain ${error.domain})`;
  if (error.code === VIR_ERR.OPERATION_TIMEOUT || error.code === VIR_ERR.RESOURCE_BUSY) {
    return observeError("lock-held", "Another job holds this domain's lock in libvirt.", words);
  }
  if (DENIED.includes(error.code)) {
    return observeError("permission-denied", "libvirt does not let the agent do this.", words);
  }
  if (isConnectionLost(error)) {
    return observeError("libvirt-unreachable", "The connection to libvirt was lost.", words);
  }
  return observeError("internal", "libvirt answered with an error.", words);
}

/** Types an error of virConnectOpen. EACCES reaches us only as text; every failure to open is "unreachable" otherwise. */
export function typeOpenError(error: LibvirtError): ObserveError {
  const words = `${error.message} (libvirt code ${error.code}, domain ${error.domain})`;
  return DENIED.includes(error.code)
    ? observeError("permission-denied", "libvirt does not let the agent connect.", words)
    : observeError("libvirt-unreachable", "libvirt cannot be reached.", words);
}
