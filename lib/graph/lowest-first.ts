/** A pool of numbers that gives back the lowest first (binary heap). */
export class LowestFirst {
  private readonly heap: number[] = [];

  give(value: number): void {
    const { heap } = this;
    let at = heap.push(value) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const above = heap[up] ?? 0;
      if (above <= value) break;
      heap[at] = above;
      heap[up] = value;
      at = up;
    }
  }

  take(): number | undefined {
    const { heap } = this;
    const lowest = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return lowest;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if ((heap[down + 1] ?? Number.POSITIVE_INFINITY) < (heap[down] ?? 0)) down += 1;
      const below = heap[down] ?? 0;
      if (below >= last) break;
      heap[at] = below;
      at = down;
    }
    heap[at] = last;
    return lowest;
  }
}
