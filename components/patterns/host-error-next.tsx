import type { ObserveErrorCode } from "#chain/model.ts";
import { observeErrorWords } from "#chain/words.ts";

/** What to do about a read that failed. */
export function HostErrorNext({ code }: { code: ObserveErrorCode }) {
  return observeErrorWords(code).next;
}
