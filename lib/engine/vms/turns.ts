/** Reads that hold something of a VM on its host: one at a time for each VM; who asks the same shares the answer. */

export type Turns = {
  /** Runs `work` when it is this VM's turn, unless the same is under way or waiting already: then that answer is shared. */
  take: <T>(vmId: string, question: string, work: () => Promise<T>) => Promise<T>;
};

export function openTurns(): Turns {
  const last = new Map<string, Promise<unknown>>();
  const asked = new Map<string, Promise<unknown>>();
  return {
    take: <T>(vmId: string, question: string, work: () => Promise<T>): Promise<T> => {
      const key = JSON.stringify([vmId, question]);
      const same = asked.get(key);
      if (same) return same as Promise<T>;
      const before = last.get(vmId) ?? Promise.resolve();
      const mine = before.then(work, work).finally(() => {
        asked.delete(key);
        if (last.get(vmId) === mine) last.delete(vmId);
      });
      asked.set(key, mine);
      last.set(vmId, mine);
      return mine;
    },
  };
}
