/** Before each round: a running VM with a line of recorded, healthy checkpoints; then the damage that the operation repairs. */
import type { PlanRequest } from "#chain/plan/model.ts";
import { insertCheckpoint, inTransaction, lockVm } from "#db/index.ts";
import { nodeOf } from "#lab/qmp.ts";
import { recompute } from "../../observe/recompute.ts";
import { readAll } from "../plan-job.ts";
import type { Operation, Round } from "./model.ts";
import type { Random } from "./random.ts";
import type { Stage } from "./stage.ts";
import { type Recorded, readRecorded } from "./witness.ts";

const KEEP = 4;
const TARGETS = ["vda", "vdb"];
const MIB = 1_048_576;

export class Preparation {
  readonly #stage: Stage;
  readonly #random: Random;
  readonly #operations: readonly Operation[];
  #named = 0;

  constructor(stage: Stage, random: Random, operations: readonly Operation[]) {
    this.#stage = stage;
    this.#random = random;
    this.#operations = operations;
  }

  /** The product has seen everything, but for a base that breaks unseen before a backup. */
  async next(): Promise<Round> {
    const { vm, engine } = this.#stage;
    await this.#refill();
    const recorded = await readRecorded(this.#stage);
    const operation = this.#random.pick(this.#operations);
    const before = recorded.flatMap(({ id, disks }) => disks.map(({ target }) => `${target}:${id}`));
    const mayGo = new Set<string>();
    const round = { operation, before, mayGo, beganAt: new Date(), isSlow: false };
    switch (operation) {
      case "redefine":
        for (const { id } of recorded.toReversed()) await vm.deleteCheckpoint(id, { metadataOnly: true });
        break;
      case "heal":
        await this.#breakBitmap(this.#random.pick(covering(recorded, "vda")), "vda", mayGo);
        break;
      case "backup":
        for (const target of TARGETS) await vm.write(target, 0, 8 * MIB, 1 + (this.#named % 250));
        break;
      case "prune":
    }
    await readAll(engine, vm.id);
    const request = this.#request(operation, recorded, mayGo);
    // The plan takes it for a good base: only at the begin that disk turns out to need a full backup.
    const bases = recorded.filter(({ backup }) => backup === "finished");
    const base = covering(bases, "vdb").at(-1);
    if (operation === "backup" && base && this.#random.chance(0.3)) await this.#breakBitmap(base, "vdb", mayGo);
    const isSlow = operation === "backup" && this.#random.chance(0.4);
    if (isSlow) await this.#stage.fill(1 + (this.#named % 250));
    if (operation === "backup") for (const target of TARGETS) await vm.flush(target);
    return { ...round, request, isSlow };
  }

  async #refill(): Promise<void> {
    const recorded = await readRecorded(this.#stage);
    for (let parentId = recorded.at(-1)?.id ?? null, left = KEEP - recorded.length; left > 0; left--) {
      const id = `k${++this.#named}`;
      await addCheckpoint(this.#stage, id, parentId);
      parentId = id;
      await this.#stage.vm.write("vda", this.#random.below(15) * MIB, 65_536, this.#named % 250);
    }
  }

  /** As somebody else would do it: the bitmap of one disk goes, the definition stays. */
  async #breakBitmap({ id, disks }: Recorded, target: string, mayGo: Set<string>): Promise<void> {
    const { vm } = this.#stage;
    const node = await nodeOf((args) => vm.virsh(args), vm.id, vm.disk(target).path);
    await vm.qmp({ execute: "block-dirty-bitmap-remove", arguments: { node, name: id } });
    mayGo.add(`${target}:${id}`);
    // A strict heal takes the whole checkpoint.
    for (const disk of disks) mayGo.add(`${disk.target}:${id}`);
  }

  #request(operation: Operation, recorded: Recorded[], mayGo: Set<string>): PlanRequest {
    const mode = this.#random.chance(0.5) ? "strict" : "salvage";
    switch (operation) {
      case "redefine":
        return { intent: "redefine", mode };
      case "heal":
        return { intent: "heal", mode, findings: null };
      case "prune": {
        const count = 1 + this.#random.below(2);
        const start = this.#random.below(recorded.length - count);
        const named = recorded.slice(start, start + count);
        for (const { id, disks } of named) for (const { target } of disks) mayGo.add(`${target}:${id}`);
        return { intent: "prune", rule: { ids: named.map(({ id }) => id) } };
      }
      case "backup":
        // One of a single disk leaves the disks with different bases, or one of them with none.
        return { intent: "backup", mode: "auto", disks: this.#random.chance(0.3) ? ["vda"] : null, repository: null };
    }
  }
}

/** On the host and in the record, as one that somebody registered. */
export async function addCheckpoint({ vm, engine }: Stage, id: string, parentId: string | null): Promise<void> {
  const { createdAt } = await vm.checkpoint(id);
  await readAll(engine, vm.id);
  await inTransaction(engine.db, async (tx) => {
    await lockVm(tx, { id: vm.id });
    const row = { vmId: vm.id, id, parentId, createdAt, disks: TARGETS };
    await insertCheckpoint(tx, { ...row, state: "active", origin: "registered" });
    await recompute(tx, engine, vm.id);
  });
}

const covering = (recorded: Recorded[], target: string): Recorded[] =>
  recorded.filter(({ disks }) => disks.some((disk) => disk.target === target));
