/** What libvirt, QEMU or qemu-img said to a call that changes something, typed once. */
import type { HostError } from "#contract/agent-operations.ts";
import { HostFailure, toObserveError } from "./failure.ts";

/** virErrorNumber of errors that only changing calls meet. */
const BY_LIBVIRT_CODE: Record<number, { code: HostError["code"]; message: string }> = {
  55: { code: "not-running", message: "The domain does not run." },
  84: { code: "not-running", message: "The domain does not run." },
  109: { code: "checkpoint-inconsistent", message: "A bitmap that the checkpoint needs is missing or broken." },
};

export type LibvirtWords = { hostMessage: string | null; libvirtCode: number | null; libvirtDomain: number | null };
const NO_WORDS: LibvirtWords = { hostMessage: null, libvirtCode: null, libvirtDomain: null };

/** One that no read can meet is never retryable: somebody has to change something first. */
export function hostError(code: HostError["code"], message: string, words: Partial<LibvirtWords> = {}): HostError {
  return { code, message, ...NO_WORDS, ...words, retryable: false };
}

/** For good: nothing but a restart of the VM and of libvirt ends it. */
export const LOST_BACKUP_WORDS =
  "libvirt holds this VM for a backup that it lost when it was killed. Stop the VM, restart libvirt, then start the VM.";
export const lostBackup = (): HostError => hostError("lock-held", LOST_BACKUP_WORDS);

/** strerror's words, which libvirt, QEMU, qemu-img and Node hand on; none of them has a code for it. */
export const isNoSpace = (words: string | null): boolean =>
  words !== null && /no space left on device|disk quota exceeded/i.test(words);

/** The typed reason of anything that was thrown by a call to the host. */
export function toHostError(thrown: unknown): HostError {
  const error = toObserveError(thrown);
  const known = thrown instanceof HostFailure ? thrown.libvirt : null;
  const words = {
    hostMessage: error.hostMessage,
    libvirtCode: known?.code ?? null,
    libvirtDomain: known?.domain ?? null,
  };
  const special = known === null || error.code !== "internal" ? undefined : BY_LIBVIRT_CODE[known.code];
  if (special !== undefined) return hostError(special.code, special.message, words);
  const isUntyped = error.code === "internal" || error.code === "unreadable";
  if (isUntyped && isNoSpace(error.hostMessage)) return hostError("no-space", "There is no space left.", words);
  // libvirt answered, and neither its connection nor a lock is the reason: asked again it says the same.
  const isAnswer = known !== null && error.code === "internal";
  return { ...error, ...words, retryable: error.retryable && !isAnswer };
}
