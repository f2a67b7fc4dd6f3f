/** Removes a bitmap from an image that no QEMU has open. */
import { spawn } from "node:child_process";
import type { HostError } from "#contract/agent-operations.ts";
import { observeError } from "../failure.ts";
import { hostError } from "../host-error.ts";
import type { ImageBitmap } from "../operations/host-steps.ts";
import { typeImageError } from "./images.ts";

const DEADLINE_MS = 30_000;
const MOST_WORDS = 4_000;

const plain = (error: ReturnType<typeof observeError>): HostError => ({
  ...error,
  libvirtCode: null,
  libvirtDomain: null,
});

/** What qemu-img said; one that has no such bitmap is what was wanted. */
function typeRemoval(words: string, bitmap: string): HostError | null {
  if (words.includes(`Dirty bitmap '${bitmap}' not found`)) return null;
  const error = typeImageError(words);
  return error.code === "unreadable"
    ? hostError("internal", "qemu-img could not remove the bitmap.", { hostMessage: error.hostMessage })
    : plain(error);
}

/**
 * qemu-img marks every bitmap of an image as in use while it has it open: killed in that moment it would leave all of
 * them broken. So it runs in a session of its own, which no signal to the agent's group reaches, and is never killed:
 * past the deadline it is left to end by itself, and the image reads as locked until then.
 */
export function removeImageBitmap({ path, format, bitmap }: ImageBitmap): Promise<HostError | null> {
  if (!path.startsWith("/")) {
    return Promise.resolve(plain(observeError("unsupported-source", "The image's path is not absolute.", path)));
  }
  return new Promise((resolve) => {
    const child = spawn("qemu-img", ["bitmap", "--remove", "-f", format, "--", path, bitmap], {
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
      env: { NODE_ENV: process.env.NODE_ENV, PATH: process.env.PATH ?? "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C" },
    });
    let words = "";
    child.stderr.on("data", (chunk: Buffer) => {
      if (words.length < MOST_WORDS) words += chunk.toString();
    });
    const timer = setTimeout(() => {
      child.unref();
      resolve(plain(observeError("timeout", `qemu-img did not end within ${DEADLINE_MS / 1000} s.`, path)));
    }, DEADLINE_MS);
    child.once("error", (error) => {
      clearTimeout(timer);
      resolve(plain(observeError("tool-missing", "qemu-img cannot be started.", error.message)));
    });
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve(code === 0 ? null : typeRemoval(words, bitmap));
    });
  });
}
