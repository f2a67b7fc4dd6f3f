/** The VM as it is now, judged with all that is known of its past. Nothing of it is written down. */
import type { Finding, Observation, ObserveError } from "#chain/model.ts";
import { listOpenFindings, listPresence, type Presence, readRecord, type Tx } from "#db/index.ts";
import { AgentCutOff } from "../agents/failure.ts";
import { readJudgement } from "../observe/judgement.ts";
import type { Engine, EngineHost } from "../state.ts";
import { noSuchVm } from "./lookup.ts";

export type JudgedNow = { ok: true; findings: readonly Finding[] } | { ok: false; error: ObserveError };

/** @throws what the agent's call fails with */
export async function judgeNow(
  engine: Engine,
  host: EngineHost,
  vmId: string,
  signal: AbortSignal,
): Promise<JudgedNow> {
  const read = await observeOnce(host, vmId, signal);
  if (!read.ok) return read;
  const { observation } = read;
  const judgeStored = async (tx: Tx): Promise<readonly Finding[]> => {
    const record = await readRecord(tx, vmId);
    if (!record) throw noSuchVm(vmId);
    const presences = await listPresence(tx, vmId);
    const known = presences.find((presence) => presence.hostId === host.id);
    // A newer read was judged meanwhile, and its higher counts would make this one look rewound: that judgement is taken.
    if (!known || Date.parse(known.observedAt ?? "") > Date.parse(observation.observedAt))
      return listOpenFindings(tx, vmId);
    const speaker = asOf(known, observation);
    const { judged } = await readJudgement(tx, engine.config, { vmId, record, presences, speaker, observation });
    return judged.findings;
  };
  const moment = { isolationLevel: "repeatable read", accessMode: "read only" } as const;
  return { ok: true, findings: await engine.db.orm.transaction(judgeStored, moment) };
}

async function observeOnce(
  host: EngineHost,
  vmId: string,
  signal: AbortSignal,
): Promise<{ ok: true; observation: Observation } | { ok: false; error: ObserveError }> {
  const askedAt = Date.now();
  for await (const item of await host.agent.api.observe({ domains: [vmId] }, { signal })) {
    if (item.type === "observation") {
      const observedAt = host.agent.clock.toOurs(item.observation.observedAt, askedAt);
      return { ok: true, observation: { ...item.observation, observedAt } };
    }
    if (item.type === "failed") return { ok: false, error: item.error };
    if (item.type === "absent") {
      const message = "The host does not know this VM any more.";
      return { ok: false, error: { code: "domain-changed", message, hostMessage: null, retryable: true } };
    }
  }
  throw new AgentCutOff();
}

/** What the host says of the VM as this read shows it. */
function asOf(known: Presence, observation: Observation): Presence {
  const { power, runtimeId, observedAt } = observation;
  const isActive = power === "running" || power === "paused";
  const activeSince = runtimeId === known.runtimeId ? (known.activeSince ?? observedAt) : observedAt;
  return { ...known, power, runtimeId, observedAt, triedAt: observedAt, activeSince: isActive ? activeSince : null };
}
