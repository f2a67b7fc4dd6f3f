import { problemText, toProblemView } from "./problem.ts";

/** `copy`: what "Copy" puts on the clipboard; null: there is no such button. */
type Note = { text: string; detail: string | null; isError: boolean; copy: string | null };
type Listener = (note: Note) => void;

let listener: Listener | null = null;
let waiting: Note[] = [];
let wake: (() => void) | null = null;

/** A short note in the corner, which is also said. The list of notes is loaded with the first one. */
export function notify(text: string, more: Partial<Omit<Note, "text">> = {}): void {
  const note = { text, detail: null, isError: false, copy: null, ...more };
  if (listener) {
    listener(note);
    return;
  }
  waiting.push(note);
  wake?.();
}

/** What failed and why, with the code and trace id to quote. Stays until it is closed. */
export function notifyProblem(what: string, error: unknown): void {
  const { detail, hostMessage, code, traceId } = toProblemView(error);
  const quote = [hostMessage, code, traceId === null ? null : `trace ${traceId}`].filter((part) => part !== null);
  notify(`${what}: ${detail}`, { detail: quote.join(" · "), isError: true, copy: problemText(what, error) });
}

/** Called by the shell: `wake` runs when the first note comes. */
export function onFirstNote(run: () => void): () => void {
  wake = run;
  return () => {
    wake = null;
  };
}

/** Called by the list of notes once it is there; what came before it is handed over. */
export function showNotes(show: Listener): () => void {
  listener = show;
  for (const note of waiting) show(note);
  waiting = [];
  return () => {
    listener = null;
  };
}
