import type { Chain } from "#contract/engine-vms.ts";

/** What record and host were, as the page knew them: another value means that something else is told now. */
export const groundOf = ({ record, host }: Chain): string => `${record.revision} ${host.digest}`;

/**
 * Does an answer of `validate` still say how things are? Not when what is shown is the past, nor when record or host are
 * not what they were then. `past`: what is shown of the chain says nothing about now.
 */
export function isValidationOld(answer: { ground: string | null }, chain: Chain, past: boolean): boolean {
  return past || answer.ground !== groundOf(chain);
}
