/**
 * Starts the whole product on the real lab, unless DRIFTLINE_E2E_URL says that one is up already. What the specs need
 * of it stands in the environment; those that break things on purpose attach to the lab by its directory.
 */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLab } from "#lab/lab.ts";
import { connectEngine } from "#run/api.ts";
import { ensureBuild } from "#run/build.ts";
import { prepareShowcase, showcaseOf } from "#run/showcase.ts";
import { type Stack, stackHosts, startStack } from "#run/stack.ts";

/** For the journeys that change something; nothing else stands on them. */
const TO_CHANGE = [
  { name: "act-heal", host: 1, scenario: "bitmap-removed-live" },
  { name: "act-backup", host: 0, scenario: "healthy-running" },
  { name: "act-move-1", host: 0, scenario: "restart-elsewhere" },
  { name: "act-move-2", host: 0, scenario: "restart-elsewhere" },
  { name: "act-bulk-1", host: 1, scenario: "bitmap-removed-live" },
  { name: "act-bulk-2", host: 1, scenario: "bitmap-removed-live" },
] as const;

export default async function setUp(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.DRIFTLINE_E2E_URL) return undefined;
  await ensureBuild();
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "dl-e2e-")));
  const lab = await openLab({ hosts: ["alpha", "beta"] });
  const hosts = stackHosts(lab);
  // Short limits, so that "ageing" and "stale" can be seen within a journey.
  const policy = { observeEverySeconds: 5, staleAfterSeconds: 20 };
  let up: Stack | null = null;
  const takeDown = async () => {
    await up?.stop();
    await lab.close();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    // As behind a proxy that ends TLS, so that what only holds over TLS can be asked for.
    up = await startStack({ dir, hosts, policy, env: { DRIFTLINE_TLS_PROXY: "1" } });
    await prepareShowcase(lab, connectEngine(up.url, up.apiKey), { entries: [...showcaseOf(lab), ...TO_CHANGE] });
  } catch (error) {
    await takeDown();
    throw error;
  }
  const stack = up;
  process.env.DRIFTLINE_E2E_URL = stack.url;
  process.env.DRIFTLINE_E2E_EMAIL = stack.email;
  process.env.DRIFTLINE_E2E_PASSWORD = stack.password;
  process.env.DRIFTLINE_E2E_API_KEY = stack.apiKey;
  process.env.DRIFTLINE_E2E_VIEWER_KEY = stack.viewerKey;
  process.env.DRIFTLINE_E2E_LAB = lab.dir;
  const agents = stack.agents.map(({ name, url, configFile, process: { pid } }) => ({ name, url, configFile, pid }));
  process.env.DRIFTLINE_E2E_POSTMASTER = join(dir, "data/postgres/postgres/postmaster.pid");
  process.env.DRIFTLINE_E2E_STACK = join(dir, "stack.json");
  writeFileSync(join(dir, "stack.json"), JSON.stringify({ agents }));
  return takeDown;
}
