/** One virConnect of one call child, reopened when the daemon went away. */
import { HostFailure, observeError } from "../failure.ts";
import { isConnectionLost, type LibvirtError, typeLibvirtError, typeOpenError } from "./errors.ts";
import { type Libvirt, loadLibvirt, type Ptr, readLastError } from "./ffi.ts";

/** A call failed; `lost` says that the connection is to blame and not what was asked about. */
export class LibvirtFailure extends HostFailure {
  readonly code: number;
  readonly lost: boolean;
  constructor(error: LibvirtError, lost: boolean) {
    super(typeLibvirtError(error), { code: error.code, domain: error.domain });
    this.code = error.code;
    this.lost = lost;
  }
}
/** The connection could not be opened. */
export class OpenFailure extends HostFailure {}

export class Connection {
  readonly #uri: string;
  readonly #parentPid: number;
  readonly #onPhase: (phase: "opening" | "opened") => void;
  #lib: Libvirt | null = null;
  #handle: Ptr = null;

  constructor(uri: string, parentPid: number, onPhase: (phase: "opening" | "opened") => void) {
    this.#uri = uri;
    this.#parentPid = parentPid;
    this.#onPhase = onPhase;
  }

  get lib(): Libvirt {
    if (this.#lib === null) {
      try {
        this.#lib = loadLibvirt(this.#parentPid);
      } catch (thrown) {
        const words = thrown instanceof Error ? thrown.message : String(thrown);
        throw new OpenFailure(observeError("tool-missing", "libvirt's client library cannot be loaded.", words));
      }
    }
    return this.#lib;
  }

  /** The open connection; opens one when there is none. */
  open(): Ptr {
    if (this.#handle !== null) return this.#handle;
    const lib = this.lib;
    this.#onPhase("opening");
    const handle = lib.connectOpen(this.#uri);
    if (handle === null) throw new OpenFailure(typeOpenError(readLastError(lib)));
    this.#onPhase("opened");
    this.#handle = handle;
    return handle;
  }

  close(): void {
    if (this.#handle !== null) this.lib.connectClose(this.#handle);
    this.#handle = null;
  }

  /** Throws libvirt's last error, and drops the connection when that is what failed. */
  fail(): never {
    const error = readLastError(this.lib);
    const lost = isConnectionLost(error) || this.#handle === null || this.lib.connectIsAlive(this.#handle) !== 1;
    if (lost) this.close();
    throw new LibvirtFailure(error, lost);
  }

  /** Runs a read; once more on a new connection when the old one turns out to be dead. */
  run<T>(read: (handle: Ptr) => T): T {
    const wasOpen = this.#handle !== null;
    try {
      return read(this.open());
    } catch (thrown) {
      if (!wasOpen || !(thrown instanceof LibvirtFailure) || !thrown.lost) throw thrown;
      return read(this.open());
    }
  }
}

/** null when libvirt says `code`; any other failure goes on. */
export function orNull<T>(call: () => T, code: number): T | null {
  try {
    return call();
  } catch (thrown) {
    if (thrown instanceof LibvirtFailure && thrown.code === code) return null;
    throw thrown;
  }
}
