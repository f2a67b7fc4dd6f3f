/** What came back: counted, and looked through for failures of ours and for planted secrets. */

export type Result = {
  seed: number;
  requests: Record<string, number>;
  statuses: Record<string, number>;
  /** Streams of events that were opened, read to their first chunk and left. */
  streams: number;
  faults: string[];
};

/** `kind`: the row of the table; `what`: the request in words; `isEndless`: answered, it is a stream without an end. */
type Sent = { kind: string; what: string; isEndless: boolean };

const FIRST_CHUNK_MS = 10_000;

export class Ledger {
  readonly result: Result;
  readonly #secrets: readonly string[];

  constructor(seed: number, secrets: readonly string[]) {
    this.result = { seed, requests: {}, statuses: {}, streams: 0, faults: [] };
    this.#secrets = secrets;
  }

  fault(what: string): void {
    this.result.faults.push(what);
  }

  /**
   * Reads an answer and notes it; gives its status. A stream of events does not end by itself: its first chunk is read,
   * and then `leave` is called. One that says nothing in time is a fault. Every 5xx is one, and so is a failure of ours
   * that is told within a stream that had begun well.
   */
  async take({ kind, what, isEndless }: Sent, response: Response, leave: () => void): Promise<number> {
    const { status } = response;
    const isStream = isEndless && status === 200;
    const said = isStream ? await this.#firstChunk(what, response, leave) : await response.text();
    if (isStream) this.result.streams += 1;
    const all = said + JSON.stringify([...response.headers]);
    const { requests, statuses } = this.result;
    requests[kind] = (requests[kind] ?? 0) + 1;
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status >= 500) this.fault(`${status} ${what}: ${said.slice(0, 300)}`);
    else if (said.includes('"code":"internal"'))
      this.fault(`a failure of ours in a stream, ${what}: ${said.slice(0, 300)}`);
    if (this.#secrets.some((secret) => all.includes(secret))) this.fault(`a secret in the answer to ${what}`);
    return status;
  }

  async #firstChunk(what: string, response: Response, leave: () => void): Promise<string> {
    const reader = response.body?.getReader();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), FIRST_CHUNK_MS);
    });
    const first = await Promise.race([reader?.read(), late]);
    clearTimeout(timer);
    leave();
    await reader?.cancel().catch(() => undefined);
    if (first?.value === undefined) this.fault(`a stream that said nothing: ${what}`);
    return new TextDecoder().decode(first?.value);
  }
}
