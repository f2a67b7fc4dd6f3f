/**
 * Whether the person is signing out here and now. Reads that are refused meanwhile are no surprise then, and must not
 * send the page to a sign-in that leads back to it.
 */
let leaving = false;

export const isLeaving = (): boolean => leaving;

/** Before the sign-out is asked for: a read may be refused before its answer is here. */
export function startLeaving(): void {
  leaving = true;
  // A page that the browser kept and shows again has not left.
  window.addEventListener("pageshow", stayHere, { once: true });
}

/** The sign-out was refused. */
export function stayHere(): void {
  leaving = false;
}
