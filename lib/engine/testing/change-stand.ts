/** What `changes.real.test.ts` needs: an engine with hosts and people, and a subject of its own for each call. */
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import pg from "pg";
import type { OneTimeLink, Role, UserView } from "#contract/engine.ts";
import { handleAuth } from "../auth/handle-auth.ts";
import { readHost } from "../observe/read.ts";
import { acceptLink } from "../people/links.ts";
import type { Engine } from "../state.ts";
import { type IdentityProvider, startIdentityProvider } from "./identity-provider.ts";
import { openPairable, type Pairable } from "./pairable.ts";
import { call, openRig, type Rig, type SimHost } from "./rig.ts";

export const SITE = "http://driftline.test";
const PASSWORD = "a password of my own";
let made = 0;
const next = (): number => {
  made += 1;
  return made;
};

export type ChangeStand = Awaited<ReturnType<typeof openChangeStand>>;

export async function openChangeStand() {
  const rig: Rig = await openRig();
  const idp: IdentityProvider = await startIdentityProvider(`${SITE}/api/auth/oidc/callback`);
  const url = await rig.newDatabase();
  const host: SimHost = await rig.newHost("plain");
  const { issuer, clientId, clientSecret } = idp;
  const oidc = {
    name: "ID",
    issuer,
    clientId,
    clientSecret,
    scopes: ["openid", "email", "groups"],
    roles: { ops: "operator" },
  };
  const admin = { email: "first@example.org", password: "correct horse battery" };
  const engine: Engine = await rig.newEngine(url, [host], { work: false, admin, oidc });
  const agents: Pairable[] = [];

  const pool = new pg.Pool({ connectionString: url, max: 1 });
  const query = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
    (await pool.query(text, values)).rows;
  const hostId = [...engine.hosts.keys()][0] ?? "";

  /** What must have worked for a test to begin. */
  async function ask(method: string, address: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await call(engine, method, address, { body, headers: { "idempotency-key": randomUUID() } });
    if (answer.status >= 300) throw new Error(`${method} ${address}: ${JSON.stringify(answer.body)}`);
    return answer.body as Record<string, unknown>;
  }

  async function newVm(): Promise<string> {
    const vmId = randomUUID();
    host.sim.define(vmId, `vm-${next()}`, [{ target: "vda", sizeMiB: 64 }]);
    host.sim.start(vmId);
    host.sim.checkpoint(vmId, "cp1");
    for (const one of engine.hosts.values()) {
      if (one.name === host.name) await readHost(engine, one, { vmIds: [vmId], force: true });
    }
    return vmId;
  }
  const checkpoint = { id: "cp1", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] };

  /** A VM whose recorded checkpoint libvirt has lost. */
  async function newLostVm(): Promise<string> {
    const vmId = await newVm();
    await ask("POST", `/vms/${vmId}/checkpoints`, checkpoint);
    host.sim.forgetCheckpoints(vmId);
    await ask("POST", `/vms/${vmId}/observe`);
    return vmId;
  }
  async function newPlan(): Promise<{ vmId: string; planId: string }> {
    const vmId = await newLostVm();
    return { vmId, planId: String((await ask("POST", `/vms/${vmId}/plans`, { intent: "redefine" })).id) };
  }
  async function newGroup(): Promise<{ vmId: string; groupId: string }> {
    const vmId = await newLostVm();
    const body = { vmIds: [vmId], request: { intent: "redefine" } };
    return { vmId, groupId: String((await ask("POST", "/plan-groups", body)).id) };
  }
  async function newJob(): Promise<{ vmId: string; jobId: string }> {
    const { vmId, planId } = await newPlan();
    return { vmId, jobId: String((await ask("POST", `/plans/${planId}/apply`, {})).id) };
  }
  /** One that has finished, with its file. */
  async function newBackup(): Promise<{ vmId: string; backupId: string }> {
    const vmId = await newVm();
    const file = path.join(rig.dir, "plain-backups", `${vmId}.qcow2`);
    const content = { simulated: true, content: "0".repeat(64), virtualSize: 64 * 2 ** 20, backing: null };
    writeFileSync(file, JSON.stringify(content));
    const [backup] = await query(
      "insert into vm_backups (vm_id, host_id, kind, state, started_at) values ($1, $2, 'full', 'finished', now()) returning id",
      [vmId, hostId],
    );
    await query(
      `insert into vm_backup_disk_map (backup_id, disk_id, mode, path, sha256)
       select $1, id, 'full', $3, $4 from disks where vm_id = $2`,
      [backup?.id, vmId, file, content.content],
    );
    return { vmId, backupId: String(backup?.id) };
  }
  async function newAgent(): Promise<{ name: string; url: string; code: string }> {
    const name = `agent-${next()}`;
    const agent = await openPairable(rig.dir, name);
    agents.push(agent);
    return { name, url: agent.url, code: await agent.code() };
  }
  const newHost = async (): Promise<string> => String((await ask("POST", "/hosts", await newAgent())).id);

  async function invite(role: Role = "viewer"): Promise<{ user: UserView; token: string }> {
    const body = { email: `p${next()}@example.org`, role };
    const { user, link } = (await ask("POST", "/users", body)) as { user: UserView; link: OneTimeLink };
    return { user, token: new URL(link.path, SITE).searchParams.get("token") ?? "" };
  }
  let hash: unknown = null;
  async function newUser(): Promise<UserView> {
    const { user, token } = await invite();
    if (hash === null) {
      await acceptLink(engine, { token, name: "Somebody", password: PASSWORD }, "made");
      hash = (await query("select password from auth_accounts where user_id = $1", [user.id]))[0]?.password;
    } else {
      // Hashing is slow on purpose; once is enough here.
      await query(
        "insert into auth_accounts (id, account_id, provider_id, user_id, password) values ($1, $2, 'credential', $2, $3)",
        [randomUUID(), user.id, hash],
      );
      await query("delete from auth_links where user_id = $1", [user.id]);
    }
    return user;
  }
  const auth = (address: string, init: RequestInit & { headers?: Record<string, string> }, traceId: string) => {
    const headers = {
      host: "driftline.test",
      origin: SITE,
      "content-type": "application/json",
      "x-driftline-peer": `198.51.100.${(next() % 250) + 1}`,
      ...init.headers,
    };
    return handleAuth(engine, new Request(`${SITE}/api/auth${address}`, { ...init, headers }), traceId);
  };
  const cookiesOf = (response: Response): string =>
    response.headers
      .getSetCookie()
      .map((one) => one.split(";")[0] ?? "")
      .filter((one) => !one.endsWith("="))
      .join("; ");
  const signIn = (email: string, traceId = "made") =>
    auth("/sign-in/email", { method: "POST", body: JSON.stringify({ email, password: PASSWORD }) }, traceId);
  const addSession = (userId: string) => engine.auth.api.openSession({ body: { userId }, asResponse: true });
  /** Somebody who has come in, and the id of that session. */
  async function newSession(): Promise<{ user: UserView; cookie: string; sessionId: string }> {
    const user = await newUser();
    const cookie = cookiesOf(await addSession(user.id));
    const [session] = await query("select id from auth_sessions where user_id = $1", [user.id]);
    return { user, cookie, sessionId: String(session?.id) };
  }

  return {
    rig,
    idp,
    url,
    engine,
    hostId,
    checkpoint,
    password: PASSWORD,
    /** Everything that the hosts keep. */
    hostState: () => readFileSync(host.sim.path, "utf8"),
    query,
    ask,
    auth,
    cookiesOf,
    newVm,
    newPlan,
    newLostVm,
    newGroup,
    newJob,
    newBackup,
    newAgent,
    newHost,
    invite,
    newUser,
    signIn,
    newSession,
    addSession,
    close: async () => {
      for (const agent of agents) await agent.stop();
      await pool.end();
      await rig.close();
      await idp.close();
    },
  };
}
