/** Paired hosts as this process holds them: made and kept equal to what the database says. */
import { findPairedHost, listPairedHosts, type PairedHost } from "#db/index.ts";
import { createAgentClient } from "../agents/client.ts";
import { SealBroken } from "../agents/failure.ts";
import { log } from "../log.ts";
import type { Engine, EngineHost } from "../state.ts";

/** What a token is sealed for: a host and its certificate. Beside another one it does not open. */
export const boundTo = (hostId: string, certificate: string): string => `host ${hostId}\n${certificate}`;

/** @throws SealBroken */
export function openToken(engine: Engine, row: PairedHost): string {
  if (!engine.sealer) throw new SealBroken("This process has no secret key: see DRIFTLINE_SECRET_KEY.");
  return engine.sealer.open(row.sealedToken, boundTo(row.id, row.certificate));
}

function open(engine: Engine, row: PairedHost): EngineHost {
  const paired = { sealedToken: row.sealedToken, confirmPending: row.confirmPending };
  const config = { name: row.name, url: row.url, pin: row.certificate };
  const agent = createAgentClient({
    ...config,
    // Opened for each call and kept nowhere; a seal that does not open is this host's fault only, and is said there.
    token: () => openToken(engine, { ...row, ...paired }),
    renew: async () => {
      const now = await findPairedHost(engine.db.orm, row.id);
      if (now) Object.assign(paired, { sealedToken: now.sealedToken, confirmPending: now.confirmPending });
    },
  });
  return { id: row.id, name: row.name, config, agent, paired };
}

/**
 * Takes up hosts that were paired, lets go of those that were retired, and notes new names, addresses and tokens. A host
 * stays the same object, so that whoever watches it goes on with what it has become.
 */
export async function syncPairedHosts(engine: Engine): Promise<void> {
  const rows = await listPairedHosts(engine.db.orm);
  for (const row of rows) {
    const known = engine.hosts.get(row.id);
    if (!known) {
      engine.hosts.set(row.id, open(engine, row));
    } else if (known.paired && known.config.url === row.url && known.config.pin === row.certificate) {
      known.name = row.name;
      known.config = { ...known.config, name: row.name };
      Object.assign(known.paired, { sealedToken: row.sealedToken, confirmPending: row.confirmPending });
    } else {
      const { agent: before } = known;
      Object.assign(known, open(engine, row));
      await before.close();
    }
  }
  const live = new Set(rows.map((row) => row.id));
  for (const [id, host] of engine.hosts) {
    if (!host.paired || live.has(id)) continue;
    engine.hosts.delete(id);
    await host.agent.close();
    log.info({ host: host.name }, "the host was retired");
  }
}
