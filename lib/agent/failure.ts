/** A read that gave no answer, thrown where a value was expected; caught once, where an item of an answer is made. */
import type { ObserveError, ObserveErrorCode } from "#chain/model.ts";

export class HostFailure extends Error {
  readonly error: ObserveError;
  /** virErrorNumber and virErrorDomain, where libvirt is who failed. */
  readonly libvirt: { code: number; domain: number } | null;
  constructor(error: ObserveError, libvirt: { code: number; domain: number } | null = null) {
    super(error.hostMessage === null ? error.message : `${error.message} (${error.hostMessage})`);
    this.name = "HostFailure";
    this.error = error;
    this.libvirt = libvirt;
  }
}

const RETRYABLE: Record<ObserveErrorCode, boolean> = {
  "agent-unreachable": true,
  "agent-refused": false,
  "libvirt-unreachable": true,
  "permission-denied": false,
  "image-locked": true,
  "image-missing": false,
  unreadable: false,
  "qmp-forbidden": false,
  "qmp-failed": true,
  timeout: true,
  "lock-held": true,
  "domain-changed": true,
  "tool-missing": false,
  "unsupported-source": false,
  internal: true,
};

/** Makes the typed error; whether it may pass by itself follows from its code alone. */
export function observeError(code: ObserveErrorCode, message: string, hostMessage: string | null = null): ObserveError {
  return { code, message, hostMessage, retryable: RETRYABLE[code] };
}

/** The typed reason of anything that was thrown. */
export function toObserveError(thrown: unknown): ObserveError {
  if (thrown instanceof HostFailure) return thrown.error;
  const words = thrown instanceof Error ? thrown.message : String(thrown);
  return observeError("internal", "The agent failed while it read the host.", words);
}
