/** Changes travel through the database, so that every web process hears of what any of them wrote. */
import { sql } from "drizzle-orm";
import pg from "pg";
import type { Reader } from "./client.ts";

const CHANNEL = "driftline_changes";
const RECONNECT_MS = 1_000;

/** Sent when the transaction commits; kept far below the 8,000 bytes that NOTIFY takes. */
export async function notifyChange(tx: Reader, change: Record<string, string>): Promise<void> {
  await tx.execute(sql`select pg_notify(${CHANNEL}, ${JSON.stringify(change)})`);
}

/**
 * Calls `onChange` for each change until `stop`. After a lost connection it connects again and calls `onGap`:
 * what was sent meanwhile is lost.
 */
export function listenForChanges(
  url: string,
  on: { onChange: (change: unknown) => void; onGap: () => void },
): { stop: () => Promise<void> } {
  let stopped = false;
  let client: pg.Client | null = null;
  let timer: NodeJS.Timeout | undefined;
  const retry = () => {
    if (stopped || timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      void connect(true);
    }, RECONNECT_MS);
  };
  const connect = async (again: boolean) => {
    const one = new pg.Client({
      connectionString: url,
      application_name: "driftline-listen",
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    });
    client = one;
    let dropped = false;
    const drop = () => {
      if (dropped) return;
      dropped = true;
      one.end().catch(() => {});
      retry();
    };
    one.on("error", drop);
    one.on("end", drop);
    one.on("notification", (message) => {
      try {
        on.onChange(JSON.parse(message.payload ?? ""));
      } catch {
        // Somebody else's words on our channel.
      }
    });
    try {
      await one.connect();
      await one.query(`listen ${CHANNEL}`);
      if (stopped) await one.end();
      else if (again) on.onGap();
    } catch {
      drop();
    }
  };
  void connect(false);
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await client?.end().catch(() => {});
    },
  };
}
