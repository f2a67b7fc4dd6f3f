/** Talks to an agent over HTTP as any other program would; what comes back is checked against the contract. */
import { type HostEvent, hostEventSchema, type ObserveItem, observeItemSchema } from "#contract/agent.ts";
import { readMessages } from "./sse.ts";

const JSON_TYPE = { "content-type": "application/json" };

export type Answer = { status: number; type: string; body: Record<string, unknown> };

export class AgentClient {
  readonly address: string;
  readonly token: string;

  constructor(address: string, token: string) {
    this.address = address;
    this.token = token;
  }

  request(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.address}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${this.token}`, ...init.headers },
    });
  }

  async get(path: string): Promise<Answer> {
    return readAnswer(await this.request(path));
  }

  async post(path: string, body: unknown): Promise<Answer> {
    return readAnswer(await this.request(path, { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) }));
  }

  async delete(path: string): Promise<Answer> {
    return readAnswer(await this.request(path, { method: "DELETE", headers: JSON_TYPE, body: "{}" }));
  }

  async put(path: string, body: unknown): Promise<Answer> {
    return readAnswer(await this.request(path, { method: "PUT", headers: JSON_TYPE, body: JSON.stringify(body) }));
  }

  /** All items of one observe call; each is checked against the contract, and told as it comes. */
  async observe(
    body: { domains?: string[]; known?: Record<string, string> } = {},
    onItem: (item: ObserveItem) => void = () => undefined,
  ): Promise<ObserveItem[]> {
    const init = { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) };
    const response = await this.request("/v1/observe", init);
    if (response.status !== 200) throw new Error(`observe: ${response.status} ${await response.text()}`);
    const items: ObserveItem[] = [];
    for await (const data of readMessages(response)) {
      const item = observeItemSchema.parse(data);
      items.push(item);
      onItem(item);
    }
    return items;
  }

  /** The item of one domain. */
  async observeOne(vmId: string, known?: string): Promise<ObserveItem> {
    const items = await this.observe({ domains: [vmId], ...(known === undefined ? {} : { known: { [vmId]: known } }) });
    const item = items[0];
    if (items.length !== 2 || item === undefined) throw new Error(`expected one item and done, got ${items.length}`);
    return item;
  }

  /** Everything that `/v1/events` says from now on. */
  async listen(): Promise<{ seen: HostEvent[]; stop(): void }> {
    const abort = new AbortController();
    const response = await this.request("/v1/events", { signal: abort.signal });
    const seen: HostEvent[] = [];
    const reading = (async () => {
      for await (const data of readMessages(response)) seen.push(hostEventSchema.parse(data));
    })();
    reading.catch(() => undefined);
    return { seen, stop: () => abort.abort() };
  }
}

async function readAnswer(response: Response): Promise<Answer> {
  const type = response.headers.get("content-type") ?? "";
  return { status: response.status, type, body: (await response.json()) as Record<string, unknown> };
}
