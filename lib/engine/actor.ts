import { ROLES, type Role } from "#contract/engine.ts";
import { ProblemError } from "#contract/problem.ts";

/** Who asks. `server`: our own workers, which no request can be. */
export type Actor = {
  kind: "person" | "program" | "server";
  name: string;
  role: Role;
  /** Hosts that this key may see and act on; absent or null: all. */
  scope?: readonly string[] | null;
  /** Of a person: whose session this is, and which. */
  userId?: string;
  sessionId?: string;
};

export const SERVER: Actor = { kind: "server", name: "driftline", role: "admin" };

/** A stored role; one that is not known is the least. */
export const toRole = (role: string | undefined): Role => ROLES.find((known) => known === role) ?? "viewer";

/** How the actor stands in the audit log. */
export const actorName = (actor: Actor): string => (actor.kind === "program" ? `key:${actor.name}` : actor.name);

export const hasRole = (actor: Actor, needed: Role): boolean => ROLES.indexOf(actor.role) >= ROLES.indexOf(needed);

/**
 * The role that each call needs, in one place. A call that is not listed needs admin, so that a forgotten line
 * refuses instead of allowing.
 */
export const NEEDED: Readonly<Record<string, Role>> = {
  me: "viewer",
  "vms.list": "viewer",
  "vms.get": "viewer",
  "vms.chain": "viewer",
  "vms.checkpoints": "viewer",
  "vms.findings": "viewer",
  "vms.samples": "viewer",
  "vms.extents": "viewer",
  "vms.bundle": "viewer",
  "vms.observe": "support",
  "vms.validate": "support",
  "vms.registerCheckpoint": "operator",
  "hosts.list": "viewer",
  "hosts.get": "viewer",
  "hosts.bundle": "viewer",
  "hosts.observe": "support",
  "hosts.pair": "admin",
  "hosts.update": "admin",
  "hosts.retire": "admin",
  "hosts.rotate": "admin",
  "audit.list": "viewer",
  "jobs.list": "viewer",
  "jobs.get": "viewer",
  "jobs.bundle": "viewer",
  // Who may start a job may end it; the verb asks for the role of the job's plan.
  "jobs.cancel": "support",
  "plans.get": "viewer",
  "plans.create": "support",
  // And then the plan's own role, inside the verb.
  "plans.apply": "support",
  "planGroups.get": "viewer",
  "planGroups.create": "support",
  "planGroups.apply": "support",
  "backups.list": "viewer",
  "backups.get": "viewer",
  "backups.verify": "support",
  // And then the role of its plan, inside the verb: only a full one is support's.
  "backups.create": "support",
  "account.get": "viewer",
  "account.sessions": "viewer",
  "account.endSession": "viewer",
  "account.signOutEverywhere": "viewer",
  "account.changePassword": "viewer",
  "users.list": "admin",
  "users.invite": "admin",
  "users.setRole": "admin",
  "users.disable": "admin",
  "users.enable": "admin",
  "users.resetPassword": "admin",
  "users.remove": "admin",
  "users.sessions": "admin",
  "users.endSession": "admin",
  "users.endSessions": "admin",
  "apiKeys.list": "admin",
  "apiKeys.create": "admin",
  "apiKeys.revoke": "admin",
  "settings.get": "viewer",
  events: "viewer",
};

export function requireRole(actor: Actor, call: string): void {
  assertRole(actor, NEEDED[call] ?? "admin");
}

/** For what a table cannot know, such as the role that one plan needs. */
export function assertRole(actor: Actor, needed: Role, subject: string | null = null): void {
  if (hasRole(actor, needed)) return;
  throw new ProblemError("forbidden", `This needs the role ${needed}; ${actor.name} has the role ${actor.role}.`, {
    subject,
  });
}
