/** Every call that changes something: how it is made on a subject of its own, where the change stands, what its audit row says. */
import { randomUUID } from "node:crypto";
import type { Role } from "#contract/engine.ts";
import { setUpFirstAdmin } from "../auth/setup.ts";
import { acceptLink } from "../people/links.ts";
import type { ChangeStand } from "./change-stand.ts";

export type Row = { actor: string; role: string | null; action: string; subject: string | null; outcome: string };
export type Subject = {
  address: string;
  body?: object;
  /** Absent: an API key. */
  cookie?: string;
  /** What the audit must say; what is absent here is the caller's, the call's name, and "done". */
  rows: Partial<Row>[];
};
export type Case = {
  /** What this subject needs, where the table of roles cannot know it. */
  needed?: Role;
  make: () => Promise<Subject>;
  /** Tables in which the change stands. */
  changes: string[];
  /** Tables that a read of the host, which comes first, may write; no part of the change. */
  reads?: string[];
  /** Why the row does not stand in the change's own transaction, or why there is none. */
  why?: string;
};

const READ = ["disks", "dirty_samples", "findings", "hosts", "observations", "vm_presence", "vms"];
const NOTHING_DONE =
  "A plan is a value that says what would be done, and names who asked; nothing is done before it is applied, and that has its row.";
const A_READ =
  "Nothing is done to the VM: what its host says is stored as in every sweep. The row says that somebody asked, and what came of it.";

export function contractCases(stand: ChangeStand): Record<string, Case> {
  const of = (subject: string | null): Partial<Row>[] => [{ subject }];
  const onUser = (address: string, changes: string[], body: object | undefined = {}): Case => ({
    changes,
    make: async () => {
      const { user } = await stand.newSession();
      return { address: `/users/${user.id}${address}`, body, rows: of(user.id) };
    },
  });
  const own = (address: (sessionId: string) => string, changes: string[], body: object = {}): Case => ({
    changes,
    make: async () => {
      const { user, cookie, sessionId } = await stand.newSession();
      await stand.addSession(user.id);
      return {
        address: address(sessionId),
        body,
        cookie,
        rows: [{ actor: user.email, role: "viewer", subject: user.id }],
      };
    },
  });
  return {
    "vms.observe": {
      changes: [],
      reads: READ,
      why: A_READ,
      make: async () => {
        const vmId = await stand.newVm();
        return { address: `/vms/${vmId}/observe`, body: {}, rows: of(vmId) };
      },
    },
    "vms.validate": {
      changes: [],
      why: A_READ,
      make: async () => {
        const vmId = await stand.newVm();
        return { address: `/vms/${vmId}/validate`, body: {}, rows: of(vmId) };
      },
    },
    "vms.registerCheckpoint": {
      changes: ["vm_checkpoint_disk_map", "vm_checkpoints", "vms"],
      reads: READ,
      make: async () => {
        const vmId = await stand.newVm();
        return { address: `/vms/${vmId}/checkpoints`, body: stand.checkpoint, rows: of(vmId) };
      },
    },
    "hosts.observe": {
      changes: [],
      reads: READ,
      why: A_READ,
      make: async () => ({ address: `/hosts/${stand.hostId}/observe`, body: {}, rows: of(stand.hostId) }),
    },
    "hosts.pair": {
      changes: ["host_credentials", "hosts"],
      make: async () => ({ address: "/hosts", body: await stand.newAgent(), rows: [{}] }),
    },
    "hosts.update": {
      changes: ["hosts"],
      make: async () => {
        const id = await stand.newHost();
        return { address: `/hosts/${id}`, body: { name: `renamed-${id}` }, rows: of(id) };
      },
    },
    "hosts.retire": {
      changes: ["host_credentials", "hosts"],
      make: async () => {
        const id = await stand.newHost();
        return { address: `/hosts/${id}`, rows: of(id) };
      },
    },
    "hosts.rotate": {
      changes: ["host_credentials"],
      make: async () => {
        const id = await stand.newHost();
        return { address: `/hosts/${id}/rotate`, body: {}, rows: of(id) };
      },
    },
    "jobs.cancel": {
      needed: "operator",
      changes: ["jobs"],
      make: async () => {
        const { vmId, jobId } = await stand.newJob();
        return { address: `/jobs/${jobId}/cancel`, body: {}, rows: of(vmId) };
      },
    },
    "plans.create": {
      changes: ["plans"],
      reads: READ,
      why: NOTHING_DONE,
      make: async () => ({
        address: `/vms/${await stand.newLostVm()}/plans`,
        body: { intent: "redefine" },
        rows: [],
      }),
    },
    "plans.apply": {
      needed: "operator",
      changes: ["job_steps", "jobs", "plans"],
      reads: READ,
      make: async () => {
        const { vmId, planId } = await stand.newPlan();
        return { address: `/plans/${planId}/apply`, body: {}, rows: of(vmId) };
      },
    },
    "planGroups.create": {
      changes: ["plan_groups", "plans"],
      reads: READ,
      why: NOTHING_DONE,
      make: async () => ({
        address: "/plan-groups",
        body: { vmIds: [await stand.newLostVm()], request: { intent: "redefine" } },
        rows: [],
      }),
    },
    // A row for each part: every part is a change of its own VM.
    "planGroups.apply": {
      needed: "operator",
      changes: ["job_steps", "jobs", "plans"],
      reads: READ,
      make: async () => {
        const { vmId, groupId } = await stand.newGroup();
        return {
          address: `/plan-groups/${groupId}/apply`,
          body: { confirm: "1 VM" },
          rows: [{ action: "plans.apply", subject: vmId }],
        };
      },
    },
    // The plan is kept as any plan is, whatever becomes of its job.
    "backups.create": {
      changes: ["job_steps", "jobs"],
      reads: [...READ, "plans"],
      make: async () => {
        const vmId = await stand.newVm();
        return { address: `/vms/${vmId}/backups`, body: {}, rows: [{ action: "plans.apply", subject: vmId }] };
      },
    },
    "backups.verify": {
      changes: ["backup_verifications"],
      make: async () => {
        const { vmId, backupId } = await stand.newBackup();
        return { address: `/backups/${backupId}/verify`, body: {}, rows: of(vmId) };
      },
    },
    "account.endSession": own((id) => `/account/sessions/${id}/end`, ["auth_sessions"]),
    "account.signOutEverywhere": own(() => "/account/sign-out-everywhere", ["auth_sessions"]),
    "account.changePassword": own(() => "/account/password", ["auth_accounts", "auth_sessions"], {
      current: stand.password,
      next: "another password",
    }),
    "users.invite": {
      changes: ["auth_links", "auth_users"],
      make: async () => ({
        address: "/users",
        body: { email: `${randomUUID()}@example.org`, role: "viewer" },
        rows: [{}],
      }),
    },
    "users.setRole": onUser("/role", ["auth_users"], { role: "support" }),
    "users.disable": onUser("/disable", ["auth_sessions", "auth_users"]),
    "users.enable": {
      changes: ["auth_users"],
      make: async () => {
        const user = await stand.newUser();
        await stand.ask("POST", `/users/${user.id}/disable`, {});
        return { address: `/users/${user.id}/enable`, body: {}, rows: of(user.id) };
      },
    },
    "users.resetPassword": onUser("/reset-password", ["auth_accounts", "auth_links", "auth_sessions"]),
    "users.remove": onUser("", ["auth_accounts", "auth_sessions", "auth_users"], undefined),
    "users.endSessions": onUser("/sessions/end", ["auth_sessions"]),
    "users.endSession": {
      changes: ["auth_sessions"],
      make: async () => {
        const { user, sessionId } = await stand.newSession();
        return { address: `/users/${user.id}/sessions/${sessionId}/end`, body: {}, rows: of(user.id) };
      },
    },
    "apiKeys.create": {
      changes: ["api_keys"],
      make: async () => ({ address: "/api-keys", body: { name: randomUUID(), role: "viewer" }, rows: [{}] }),
    },
    "apiKeys.revoke": {
      changes: ["api_keys"],
      make: async () => {
        const { key } = (await stand.ask("POST", "/api-keys", { name: randomUUID(), role: "viewer" })) as {
          key: { id: string };
        };
        return { address: `/api-keys/${key.id}/revoke`, body: {}, rows: of(key.id) };
      },
    },
  };
}

/** What is asked outside the contract, by who is not signed in yet. `send` answers whether it was done. */
export type Outside = {
  make: () => Promise<{ rows: Partial<Row>[]; send: (traceId: string) => Promise<boolean> }>;
  changes: string[];
  why?: string;
};

export function outsideCases(stand: ChangeStand): Record<string, Outside> {
  const person = (email: string, id: string) => ({ actor: email, subject: id, outcome: "done" });
  const done = (work: Promise<unknown>) =>
    work.then(
      () => true,
      () => false,
    );
  return {
    "POST /api/auth/sign-in/email": {
      changes: ["auth_sessions"],
      make: async () => {
        const user = await stand.newUser();
        return {
          rows: [{ ...person(user.email, user.id), role: "viewer", action: "auth.sign-in" }],
          send: async (traceId) => (await stand.signIn(user.email, traceId)).ok,
        };
      },
    },
    "POST /api/auth/sign-out": {
      changes: ["auth_sessions"],
      make: async () => {
        const { user, cookie } = await stand.newSession();
        return {
          rows: [{ ...person(user.email, user.id), role: "viewer", action: "auth.sign-out" }],
          send: async (traceId) =>
            (await stand.auth("/sign-out", { method: "POST", body: "{}", headers: { cookie } }, traceId)).ok,
        };
      },
    },
    "POST /api/auth/oidc/start": {
      changes: ["auth_verifications"],
      why: "Nobody is named yet: what is kept for ten minutes binds the provider's answer to this browser. Who comes back has a row.",
      make: async () => ({
        rows: [],
        send: async (traceId) => (await stand.auth("/oidc/start", { method: "POST", body: "{}" }, traceId)).ok,
      }),
    },
    // Two changes, each with its row: the account with its role, then the session.
    "GET /api/auth/oidc/callback": {
      changes: ["auth_accounts", "auth_sessions", "auth_users"],
      make: async () => {
        const sub = randomUUID().slice(0, 8);
        stand.idp.person = { sub, email: `${sub}@example.org`, email_verified: true, groups: ["ops"] };
        const begun = await stand.auth("/oidc/start", { method: "POST", body: "{}" }, "made");
        const back = await stand.idp.visit(((await begun.json()) as { url: string }).url);
        const headers = { cookie: stand.cookiesOf(begun) };
        return {
          rows: ["auth.provider", "auth.sign-in"].map((action) => ({
            actor: `${sub}@example.org`,
            role: "operator",
            action,
            outcome: "done",
          })),
          send: async (traceId) => {
            const response = await stand.auth(`/oidc/callback${back.search}`, { headers }, traceId);
            return response.headers.get("location")?.startsWith("/sign-in/done") ?? false;
          },
        };
      },
    },
    "POST /api/welcome": {
      changes: ["auth_accounts", "auth_links", "auth_users"],
      make: async () => {
        const { user, token } = await stand.invite();
        const input = { token, name: "Some Body", password: stand.password };
        return {
          rows: [{ ...person(user.email, user.id), role: null, action: "auth.accept-invitation" }],
          send: (traceId) => done(acceptLink(stand.engine, input, traceId)),
        };
      },
    },
    "POST /api/setup": {
      changes: ["auth_accounts", "auth_users", "setup_tokens"],
      make: async () => {
        const token = randomUUID();
        const email = `${randomUUID()}@example.org`;
        await stand.query("update auth_users set role = 'viewer' where role = 'admin'");
        await stand.query(
          "insert into setup_tokens (sha256, expires_at) values (encode(sha256($1::bytea), 'hex'), now() + interval '1 hour')",
          [token],
        );
        const input = { token, email, password: stand.password };
        return {
          rows: [{ actor: email, role: "admin", action: "auth.setup", subject: email, outcome: "done" }],
          send: (traceId) => done(setUpFirstAdmin(stand.engine, input, traceId)),
        };
      },
    },
  };
}
