/** The known word that is most like an unknown one, for messages that name it. */

/** Edit distance of two short words (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Always one of `known`, however far. Letter case does not count. */
export function nearestWord(word: string, known: readonly string[]): string {
  const distance = (candidate: string): number => editDistance(word.toLowerCase(), candidate.toLowerCase());
  return known.reduce((best, candidate) => (distance(candidate) < distance(best) ? candidate : best), known[0] ?? "");
}
