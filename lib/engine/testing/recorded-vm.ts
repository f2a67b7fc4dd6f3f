/** A VM with three recorded checkpoints on a host and an engine of its own, as most tests of jobs begin. */
import { randomUUID } from "node:crypto";
import type { PlanRequest } from "#chain/plan/model.ts";
import { insertCheckpoint, inTransaction, lockVm, readRecord } from "#db/index.ts";
import type { Engine } from "../state.ts";
import { readAll } from "./plan-job.ts";
import type { Rig, SimHost } from "./rig.ts";

export const PRUNE: PlanRequest = { intent: "prune", rule: { keepLast: 1 } };
/** Impatient: a worker that is gone is missed after two seconds. */
export const POLICY = { leaseSeconds: 2, giveUpAfterSeconds: 5 };

/** A host with a running VM that has three recorded checkpoints, and an engine that has read it and runs no jobs. */
export async function openOne(rig: Rig, name: string) {
  const url = await rig.newDatabase();
  const host = await rig.newHost(`${name}-${randomUUID().slice(0, 8)}`);
  const engine = await rig.newEngine(url, [host], { work: false, policy: POLICY });
  const vmId = await newVm(engine, host, name);
  return { url, host, engine, vmId };
}

export async function newVm(engine: Engine, host: SimHost, name: string): Promise<string> {
  const vmId = randomUUID();
  host.sim.define(vmId, name, [{ target: "vda", sizeMiB: 64 }]);
  host.sim.start(vmId);
  for (const id of ["cp1", "cp2", "cp3"]) host.sim.checkpoint(vmId, id);
  await readAll(engine, vmId);
  await inTransaction(engine.db, async (tx) => {
    await lockVm(tx, { id: vmId });
    for (const [i, id] of ["cp1", "cp2", "cp3"].entries()) {
      const parentId = i === 0 ? null : `cp${i}`;
      const createdAt = new Date(Date.UTC(2026, 0, 1 + i)).toISOString();
      await insertCheckpoint(tx, {
        vmId,
        id,
        parentId,
        createdAt,
        disks: ["vda"],
        state: "active",
        origin: "registered",
      });
    }
  });
  await readAll(engine, vmId);
  return vmId;
}

export const idsOf = async (engine: Engine, vmId: string) =>
  (await readRecord(engine.db.orm, vmId))?.checkpoints.map((item) => item.id);
/** Rows of a table; `text` is what stands after `from`. */
export async function count(engine: Engine, text: string, values: unknown[]): Promise<number> {
  const { rows } = await engine.db.pool.query(`select count(*)::int as n from ${text}`, values);
  return rows[0]?.n ?? -1;
}
