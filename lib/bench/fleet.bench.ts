/**
 * `npm run bench:fleet [VMs]`: a fleet of ten thousand VMs on simulated hosts through the real agents, engine, database
 * and browser. How long reading it takes, first and when little changed; what the list costs through the API; what a
 * person waits for.
 */

import type { Page } from "@playwright/test";
import { SimController } from "#agent/simulated/controller.ts";
import { domainsOf, type SimDomain } from "#agent/simulated/state.ts";
import { waitFor } from "#run/api.ts";
import { type Load, openBrowser, type Visitor } from "./browser.ts";
import { loadNow, openStand, type SimHost, type Stand } from "./stand.ts";
import { type Figure, figure, printTable, quantile, timed } from "./table.ts";

const HOSTS = 4;
const ROUNDS = 12;
const API_LIMIT = { most: 300 };
const ROWS_LIMIT = { most: 60 };
const SCRIPT_LIMIT = { most: 200 };
const KB = 1000;

const say = (line: string) => console.log(line);
const vms = Number(process.argv[2] ?? 10_000);
const fleets = Array.from({ length: HOSTS }, (_, i) => ({
  vms: Math.ceil(vms / HOSTS),
  checkpoints: 8,
  disks: 2,
  seed: i + 1,
}));

/** What people, crashes and other tools do to every n-th VM of a host. */
const HARM: readonly ((domain: SimDomain) => void)[] = [
  (domain) => {
    domain.checkpoints = [];
  },
  ({ disks }) => {
    for (const layer of disks[0]?.layers ?? []) layer.bitmaps = layer.bitmaps.filter(({ name }) => name !== "cp3");
  },
  ({ disks }) => {
    for (const bitmap of disks[1]?.layers[0]?.bitmaps ?? []) bitmap.inconsistent = true;
  },
  ({ disks }) => {
    const [bitmap] = disks[0]?.layers[0]?.bitmaps ?? [];
    if (bitmap) disks[0]?.layers[0]?.bitmaps.push({ ...bitmap, name: "virtnbdbackup.0" });
  },
  (domain) => {
    domain.failure = "permission-denied";
  },
];

/** Changes `share` of a host's VMs. Between two sweeps, as most drift comes: no event tells of it. */
function drift(host: SimHost, share: number): number {
  const every = Math.round(1 / share);
  let changed = 0;
  new SimController(host.path).change((state) => {
    [...domainsOf(state).values()].forEach((domain, n) => {
      if (n % every !== 1) return;
      HARM[changed % HARM.length]?.(domain);
      state.domains = [...state.domains.filter(({ vmId }) => vmId !== domain.vmId), domain];
      changed += 1;
    });
  });
  return changed;
}

/** Guests write: every count of every running VM of a host rises by one cluster. Nothing else changes. */
function writeEverywhere(host: SimHost): number {
  let running = 0;
  new SimController(host.path).change((state) => {
    state.domains = [...domainsOf(state).values()];
    for (const domain of state.domains.filter(({ power }) => power === "running")) {
      running += 1;
      for (const disk of domain.disks)
        for (const { bitmaps } of disk.layers) for (const bitmap of bitmaps) bitmap.dirtyBytes += bitmap.granularity;
    }
  });
  return running;
}

type Ask = (path: string, init?: RequestInit) => Promise<Response>;
const asker = ({ stack }: Stand): Ask => {
  const headers = { authorization: `Bearer ${stack.apiKey}` };
  return async (path, init) => {
    const answer = await fetch(`${stack.url}/api/v1${path}`, { ...init, headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
};

/** Seconds from the first VM that was read to the last host that was done: as the database has it. */
async function firstSweep({ db, hosts }: Stand): Promise<number> {
  return waitFor<number>("the first sweep should end", 1_800_000, async () => {
    const { rows } = await db.pool.query(
      `select (select count(*)::int from hosts where last_sweep_at is not null) as swept,
        (select count(*)::int from vms where observed_at is not null) as read,
        extract(epoch from (select max(last_sweep_at) from hosts) - (select min(first_seen_at) from observations)) as seconds`,
    );
    return rows[0].swept === hosts.length ? { done: Number(rows[0].seconds) } : { notYet: rows[0] };
  });
}

/** All hosts at once, as the engine sweeps them. */
type Swept = { observed: number; unchanged: number; failed: number };
async function sweep(ask: Ask, hostIds: string[]) {
  const { ms, value } = await timed(() =>
    Promise.all(
      hostIds.map(async (id): Promise<Swept> => (await ask(`/hosts/${id}/observe`, { method: "POST" })).json()),
    ),
  );
  const sum = (key: keyof Swept) => value.reduce((total, one) => total + one[key], 0);
  return { seconds: ms / 1000, observed: sum("observed"), unchanged: sum("unchanged"), failed: sum("failed") };
}

/** Cursors of pages far down a list, by walking there. */
async function deepCursor(ask: Ask, query: string, depth: number): Promise<string> {
  let cursor = "";
  for (let at = 0; at < depth; at += 200) {
    const page = await (await ask(`/vms?limit=200&${query}${cursor && `&cursor=${cursor}`}`)).json();
    if (page.nextCursor === null) break;
    cursor = encodeURIComponent(page.nextCursor);
  }
  return cursor;
}

async function listQueries(ask: Ask, hostIds: string[]): Promise<Record<string, string[]>> {
  const sorts = ["name", "-name", "severity", "host", "observed", "-observed", "checkpoints", "-checkpoints"];
  const deep: string[] = [];
  for (const sort of ["name", "severity", "host", "-observed", "checkpoints"]) {
    for (const depth of [0.4, 0.9]) {
      const cursor = await deepCursor(ask, `sort=${sort}`, vms * depth);
      deep.push(cursor ? `sort=${sort}&cursor=${cursor}` : `sort=${sort}`);
    }
  }
  return {
    "first page, each sort": sorts.map((sort) => `sort=${sort}`),
    "deep page (40 %, 90 %)": deep,
    search: ["q=sim-01", "q=02499", "q=m-0", "q=00000002-0000", "q=nothing-like-this", "q=9&sort=severity"],
    "one filter": [
      "agreement=differs",
      "agreement=agrees",
      "nextBackup=full",
      "nextBackup=incremental&sort=-checkpoints",
      "kind=bitmap.missing",
      "kind=metadata.missing&sort=severity",
      "freshness=fresh&sort=observed",
      `host=${hostIds[0]}`,
    ],
    "several filters": [
      `host=${hostIds[1]}&agreement=differs&sort=severity`,
      "q=sim&agreement=differs&nextBackup=full",
      `q=01&host=${hostIds[2]}&kind=bitmap.inconsistent`,
      "agreement=agrees&freshness=fresh&nextBackup=incremental&sort=-name",
    ],
    "one row (the counts alone)": ["limit=1", "limit=1&agreement=differs"],
  };
}

async function measureList(ask: Ask, hostIds: string[]): Promise<Figure[]> {
  const queries = await listQueries(ask, hostIds);
  const times = new Map<string, number[]>(Object.keys(queries).map((name) => [name, []]));
  const all = Object.entries(queries).flatMap(([name, list]) => list.map((query) => ({ name, query })));
  const once = async ({ name, query }: { name: string; query: string }) => {
    const path = query.includes("limit=") ? query : `limit=100&${query}`;
    const { ms } = await timed(async () => (await ask(`/vms?${path}`)).arrayBuffer());
    times.get(name)?.push(ms);
    return ms;
  };
  for (const one of all) await once(one);
  for (const list of times.values()) list.length = 0;
  for (let round = 0; round < ROUNDS; round += 1) for (const one of all) await once(one);
  const alone = [...times.values()].flat();
  const rows = [...times].flatMap(([name, list]) => [
    figure(`GET /vms, ${name}: p50`, quantile(list, 0.5), "ms", null),
    figure(`GET /vms, ${name}: p95`, quantile(list, 0.95), "ms", API_LIMIT),
  ]);
  const crowd: number[] = [];
  const waiting = Array.from({ length: 4 }, () => all).flat();
  const worker = async () => {
    for (let one = waiting.pop(); one; one = waiting.pop()) crowd.push(await once(one));
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  return [
    figure(`GET /vms, the whole mix (${alone.length} calls): p50`, quantile(alone, 0.5), "ms", null),
    figure("GET /vms, the whole mix: p95", quantile(alone, 0.95), "ms", API_LIMIT),
    ...rows,
    figure(`GET /vms, four callers at once (${crowd.length} calls): p95`, quantile(crowd, 0.95), "ms", null),
  ];
}

async function measurePages(visitor: Visitor): Promise<Figure[]> {
  const rows: Figure[] = [];
  for (const [what, path, selector] of [
    ["/vms", "/vms", "[data-row-link]"],
    ["/vms, a filter and a sort", "/vms?agreement=differs&sort=severity", "[data-row-link]"],
    ["/hosts", "/hosts", "main h1"],
    ["/sign-in", "/sign-in", "form button"],
  ] as const) {
    const samples: Load[] = [];
    let mounted = 0;
    for (let i = 0; i < 5; i += 1) {
      const person = await visitor.enter({ signedOut: path === "/sign-in" });
      samples.push(await person.load(path, selector));
      if (i === 0 && path === "/vms") mounted = await scrollThrough(person.page);
      await person.close();
    }
    const middle = (pick: (one: (typeof samples)[number]) => number) => quantile(samples.map(pick), 0.5);
    rows.push(
      figure(
        `${what}: navigation to painted, median of 5`,
        middle((one) => one.painted),
        "ms",
        null,
      ),
      figure(
        `${what}: of that, until the first byte`,
        middle((one) => one.responseStart),
        "ms",
        null,
      ),
      figure(`${what}: HTML over the wire`, middle((one) => one.htmlWireBytes) / KB, "KB", null),
      figure(`${what}: scripts over the wire`, middle((one) => one.scriptWireBytes) / KB, "KB", SCRIPT_LIMIT),
    );
    if (mounted > 0) rows.push(figure(`${what}: rows mounted, most while scrolling`, mounted, "rows", ROWS_LIMIT));
  }
  return rows;
}

/** The most rows that were mounted at any frame while a person scrolls some thousand rows down. */
async function scrollThrough(page: Page): Promise<number> {
  await page.evaluate(() => {
    const seen = { most: 0 };
    Object.assign(window, { benchRows: seen });
    const count = () => {
      seen.most = Math.max(seen.most, document.querySelectorAll("[role=row][data-index]").length);
      requestAnimationFrame(count);
    };
    count();
  });
  await page.mouse.move(700, 600);
  for (let i = 0; i < 60; i += 1) {
    await page.mouse.wheel(0, 1500);
    await page.waitForTimeout(30);
  }
  return page.evaluate(() => (window as unknown as { benchRows: { most: number } }).benchRows.most);
}

const figures: Figure[] = [];
const stand = await openStand(fleets, say);
try {
  const ask = asker(stand);
  const seconds = await firstSweep(stand);
  figures.push(figure(`first sweep of ${vms} VMs on ${HOSTS} hosts`, seconds, "s", null));
  figures.push(figure("first sweep, a VM", (seconds * 1000) / vms, "ms", null));
  const { rows } = await stand.db.pool.query("select agreement, count(*)::int as n from vms group by 1 order by 1");
  say(`after the first sweep: ${rows.map((row) => `${row.n} ${row.agreement}`).join(", ")}`);
  if (rows.some((row) => row.agreement !== "agrees")) throw new Error("the record is not what the hosts have");
  const hostIds: string[] = (await (await ask("/hosts")).json()).items.map((host: { id: string }) => host.id);
  const quiet = await sweep(ask, hostIds);
  if (quiet.unchanged !== vms) throw new Error(`nothing changed, but the sweep said ${JSON.stringify(quiet)}`);
  figures.push(figure(`sweep of ${vms} VMs, none changed`, quiet.seconds, "s", null));
  for (const time of ["once", "once more"]) {
    const running = stand.hosts.reduce((sum, host) => sum + writeEverywhere(host), 0);
    const after = await sweep(ask, hostIds);
    if (after.unchanged !== vms) throw new Error(`only counts moved, but the sweep said ${JSON.stringify(after)}`);
    figures.push(figure(`sweep, all counts of ${running} running VMs rose, ${time}`, after.seconds, "s", null));
  }
  const samples = await stand.db.pool.query("select count(*)::int as n from dirty_samples");
  figures.push(figure("rows of the series of counts after that", samples.rows[0]?.n ?? Number.NaN, "rows", null));
  for (const share of [0.01, 0.05]) {
    const changed = stand.hosts.reduce((sum, host) => sum + drift(host, share), 0);
    const after = await sweep(ask, hostIds);
    figures.push(
      figure(`sweep, ${changed} changed (${after.observed + after.failed} read whole)`, after.seconds, "s", null),
    );
  }
  figures.push(...(await measureList(ask, hostIds)));
  const visitor = await openBrowser(stand.stack);
  try {
    figures.push(...(await measurePages(visitor)));
  } finally {
    await visitor.close();
  }
} finally {
  await stand.close();
}
say(`\n${vms} VMs, 8 checkpoints × 2 disks each, ${HOSTS} simulated hosts; load of the machine ${loadNow()}`);
printTable(figures);
