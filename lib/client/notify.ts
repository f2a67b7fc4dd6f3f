type Note = { text: string; detail: string | null; isError: boolean };
type Listener = (note: Note) => void;

let listener: Listener | null = null;
let waiting: Note[] = [];
let wake: (() => void) | null = null;

/** A short note in the corner. The list of notes is loaded with the first one. */
export function notify(text: string, more: { detail?: string | null; isError?: boolean } = {}): void {
  const note = { text, detail: more.detail ?? null, isError: more.isError ?? false };
  if (listener) {
    listener(note);
    return;
  }
  waiting.push(note);
  wake?.();
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
