/**
 * Does somebody write to an image? Asked of the kernel, without taking a lock: QEMU's own tools take one even to look,
 * and a VM that is started in that moment fails with "Failed to get write lock". See lib/decisions/looking-takes-no-lock.md.
 */
import { closeSync, constants, openSync } from "node:fs";
import koffi from "koffi";

/** "unknown": the kernel or the file system could not say; then only an attempt with a lock can tell. */
export type WriterState = "free" | "held" | "unknown";

/** linux/fcntl.h; the same on all 64-bit architectures that run QEMU. */
const F_OFD_GETLK = 36;
const F_WRLCK = 1;
const F_UNLCK = 2;
/** struct flock: type and whence as short, padding, start and length as int64, pid; 32 bytes. */
const FLOCK_BYTES = 32;

/**
 * QEMU locks one byte for each permission it holds (from 100) and for each that it denies to others (from 200); see
 * RAW_LOCK_PERM_BASE in its block/file-posix.c. Held WRITE (1) or RESIZE (3), or denied reading (0): keep out.
 */
const TELLING_BYTES = [101, 103, 200];

type Fcntl = (fd: number, command: number, type: "void *", argument: Buffer) => number;
let fcntl: Fcntl | null = null;

function isLocked(fd: number, byte: number): boolean {
  fcntl ??= koffi.load("libc.so.6").func("int fcntl(int fd, int cmd, ...)") as unknown as Fcntl;
  const lock = Buffer.alloc(FLOCK_BYTES);
  lock.writeInt16LE(F_WRLCK, 0);
  lock.writeBigInt64LE(BigInt(byte), 8);
  lock.writeBigInt64LE(1n, 16);
  if (fcntl(fd, F_OFD_GETLK, "void *", lock) !== 0) throw new Error("F_OFD_GETLK failed");
  return lock.readInt16LE(0) !== F_UNLCK;
}

/** Never throws: what cannot be opened or asked is "unknown", and the read that follows says why. */
export function probeWriter(path: string): WriterState {
  let fd: number;
  try {
    // Not to wait for the other end of a pipe that stands where an image should.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return "unknown";
  }
  try {
    return TELLING_BYTES.some((byte) => isLocked(fd, byte)) ? "held" : "free";
  } catch {
    return "unknown";
  } finally {
    closeSync(fd);
  }
}
