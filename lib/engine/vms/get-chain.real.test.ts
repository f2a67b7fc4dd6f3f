import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Chain } from "#contract/engine-vms.ts";
import { readHost } from "../observe/read.ts";
import { call, openRig, type Rig, until } from "../testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

test("a chain is of one moment: its findings are those that its agreement was judged by", async () => {
  const agent = await rig.newHost("moment");
  const vmId = randomUUID();
  agent.sim.define(vmId, "moment", [{ target: "vda", sizeMiB: 64 }]);
  agent.sim.start(vmId);
  agent.sim.checkpoint(vmId, "cp1");
  const url = await rig.newDatabase();
  const engine = await rig.newEngine(url, [agent]);
  for (const host of engine.hosts.values()) await readHost(engine, host);
  const body = { id: "cp1", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] };
  expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  const read = async () => (await call(engine, "GET", `/vms/${vmId}/chain`)).body as Chain;

  const writer = new pg.Client({ connectionString: url });
  await writer.connect();
  try {
    await writer.query("begin");
    await writer.query("lock table findings in access exclusive mode");
    const reading = read();
    // It has read what comes before the findings, and waits for them.
    await until(
      async () =>
        (await writer.query("select 1 from pg_locks where relation = 'findings'::regclass and not granted")).rows,
      (waiting) => waiting.length > 0,
    );
    await writer.query("update vms set agreement = 'differs' where id = $1", [vmId]);
    await writer.query(
      `insert into findings (vm_id, finding_id, kind, severity, severity_rank, body, since)
       select $1, 'bitmap.unknown||vda|stray', 'bitmap.unknown', 'waste', 3, b, now() from (select jsonb_build_object(
         'id', 'bitmap.unknown||vda|stray', 'kind', 'bitmap.unknown', 'severity', 'waste', 'reason', null, 'owner', null,
         'subject', jsonb_build_object('checkpointId', null, 'disk', 'vda', 'bitmap', 'stray'),
         'evidence', jsonb_build_object('record', null, 'metadata', null, 'bitmap', null),
         'explanation', '', 'consequence', '', 'remedies', '[]'::jsonb, 'acknowledged', false) as b) one`,
      [vmId],
    );
    await writer.query("commit");
    const said = ({ agreement, findings }: Chain) => ({ agreement, findings: findings.map(({ id }) => id) });
    expect(said(await reading)).toEqual({ agreement: "agrees", findings: [] });
    expect(said(await read())).toEqual({ agreement: "differs", findings: ["bitmap.unknown||vda|stray"] });
  } finally {
    await writer.end();
  }
});
