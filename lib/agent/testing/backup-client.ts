/** What tests of backups ask of an agent, checked against the contract. */
import { join } from "node:path";
import {
  type CurrentBackup,
  currentBackupSchema,
  type VerifyBackupInput,
  type VerifyItem,
  verifyItemSchema,
} from "#contract/agent-operations.ts";
import type { AgentClient, Answer } from "./agent-client.ts";
import { readMessages } from "./sse.ts";
import { until } from "./until.ts";

export type WantedDisk = {
  target: string;
  mode: "full" | "incremental";
  base: string | null;
  path: string;
  backing: string | null;
};

export class BackupClient {
  readonly agent: () => AgentClient;
  readonly repository: string;

  /** @param agent asked for at each call: tests end agents and start others */
  constructor(agent: () => AgentClient, repository: string) {
    this.agent = agent;
    this.repository = repository;
  }

  at(path: string): string {
    return join(this.repository, path);
  }

  full(target: string, path: string): WantedDisk {
    return { target, mode: "full", base: null, path: this.at(path), backing: null };
  }

  incremental(target: string, base: string, path: string, backing: string): WantedDisk {
    return { target, mode: "incremental", base, path: this.at(path), backing: this.at(backing) };
  }

  ask(vmId: string, body: object): Promise<Answer> {
    return this.agent().post(`/v1/domains/${vmId}/backups`, body);
  }

  async begin(vmId: string, checkpointId: string, disks: WantedDisk[]): Promise<CurrentBackup> {
    const { status, body } = await this.ask(vmId, { checkpointId, disks });
    const begun = currentBackupSchema.safeParse(body).data;
    if (begun === undefined || status !== 202 || begun.error !== null)
      throw new Error(`begin: ${status} ${JSON.stringify(body)}`);
    return begun;
  }

  async current(vmId: string): Promise<CurrentBackup> {
    const { status, body } = await this.agent().get(`/v1/domains/${vmId}/backups/current`);
    if (status !== 200) throw new Error(`current: ${status} ${JSON.stringify(body)}`);
    return currentBackupSchema.parse(body);
  }

  /** How the job that runs ends. */
  ended(vmId: string): Promise<CurrentBackup> {
    return until("the backup to end", 20_000, async () => {
      const seen = await this.current(vmId);
      return seen.state === "running" ? null : seen;
    });
  }

  async make(vmId: string, checkpointId: string, disks: WantedDisk[]): Promise<CurrentBackup> {
    await this.begin(vmId, checkpointId, disks);
    return await this.ended(vmId);
  }

  abort(vmId: string): Promise<Answer> {
    return this.agent().delete(`/v1/domains/${vmId}/backups/current`);
  }

  /** Waits for the job's end, then removes its checkpoint and its files. */
  async undo(vmId: string, checkpointId: string, disks: WantedDisk[]): Promise<void> {
    await this.ended(vmId);
    const gone = await this.agent().post(`/v1/domains/${vmId}/checkpoints/delete`, { ids: [checkpointId] });
    const discarded = await this.agent().post("/v1/backups/discard", { paths: disks.map(({ path }) => path) });
    for (const { status, body } of [gone, discarded])
      if (status !== 200) throw new Error(`undo of ${checkpointId}: ${status} ${JSON.stringify(body)}`);
  }

  discard(paths: string[]): Promise<Answer> {
    return this.agent().post("/v1/backups/discard", { paths: paths.map((path) => this.at(path)) });
  }

  /** All items; the last is `done`. `disks`: target to path in the repository. */
  async verify(disks: Record<string, string>, compareWith: VerifyBackupInput["compareWith"]): Promise<VerifyItem[]> {
    const list = Object.entries(disks).map(([target, path]) => ({ target, path: this.at(path) }));
    const response = await this.verifyRequest({ disks: list, compareWith });
    if (response.status !== 200) throw new Error(`verify: ${response.status} ${await response.text()}`);
    const items: VerifyItem[] = [];
    for await (const data of readMessages(response)) items.push(verifyItemSchema.parse(data));
    if (items.at(-1)?.type !== "done") throw new Error("the stream was cut off");
    return items;
  }

  verifyRequest(body: object, signal: AbortSignal | null = null): Promise<Response> {
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(body), signal };
    return this.agent().request("/v1/backups/verify", init);
  }

  /** The item of each disk, in the order asked for. */
  async verdicts(...args: Parameters<BackupClient["verify"]>) {
    const items = await this.verify(...args);
    return items.flatMap((item) => (item.type === "disk" ? [item] : []));
  }
}
