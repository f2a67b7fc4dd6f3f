/** Which of several web processes does a piece of work: a session-level advisory lock, gone when the process is. */
import pg from "pg";

const NAMESPACE = 7_411_002;
const RETRY_MS = 2_000;

export type Leadership = { stop: () => Promise<void> };

/**
 * Tries for each name until it leads it. `onLead` starts the work, and what it returns is called when the lead is
 * lost (the connection broke, or `stop`). All names share one connection: losing it loses all of them at once.
 * Not behind a transaction-pooling proxy: the lock belongs to the session.
 */
export function lead(url: string, names: () => string[], onLead: (name: string) => () => void): Leadership {
  let stopped = false;
  let client: pg.Client | null = null;
  let timer: NodeJS.Timeout | undefined;
  const held = new Map<string, () => void>();
  const loseAll = () => {
    for (const end of held.values()) end();
    held.clear();
  };
  const connect = async (): Promise<pg.Client> => {
    const one = new pg.Client({
      connectionString: url,
      application_name: "driftline-lead",
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    });
    const lost = () => {
      if (client !== one) return;
      client = null;
      loseAll();
    };
    one.on("error", lost);
    one.on("end", lost);
    await one.connect();
    client = one;
    return one;
  };
  const round = async () => {
    try {
      const one = client ?? (await connect());
      const wanted = names();
      for (const name of wanted) {
        if (held.has(name) || stopped) continue;
        const got = await one.query("select pg_try_advisory_lock($1, hashtext($2)) as got", [NAMESPACE, name]);
        if (got.rows[0]?.got === true && client === one && !stopped) held.set(name, onLead(name));
      }
      // Also finds out that a silent connection is dead.
      if (wanted.every((name) => held.has(name))) await one.query("select 1");
      for (const [name, end] of held) {
        if (wanted.includes(name)) continue;
        end();
        held.delete(name);
        await one.query("select pg_advisory_unlock($1, hashtext($2))", [NAMESPACE, name]);
      }
    } catch {
      const broken = client;
      client = null;
      loseAll();
      await broken?.end().catch(() => {});
    }
    if (!stopped) timer = setTimeout(() => void round(), RETRY_MS);
  };
  void round();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      loseAll();
      const one = client;
      client = null;
      await one?.end().catch(() => {});
    },
  };
}
