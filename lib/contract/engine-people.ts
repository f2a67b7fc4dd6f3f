/** People, their sessions, programs' keys, settings: the part of the engine's API that says who may do what. */
import { oc } from "@orpc/contract";
import { z } from "zod";
import { isoTime, uuid } from "./common.ts";
import { cursor, limit, page } from "./paging.ts";
import { PASSWORD_LENGTH } from "./password.ts";
import { ROLES } from "./roles.ts";

export const newPassword = z
  .string()
  .min(PASSWORD_LENGTH.min, `at least ${PASSWORD_LENGTH.min} characters`)
  .max(PASSWORD_LENGTH.max);
/** Shown to others: no control characters, no line of its own. */
export const personName = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cf}]+$/u, "no control characters");
const role = z.enum(ROLES);
const userId = uuid;
const sessionId = uuid;

const userSchema = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  role,
  /** `invited`: has not set a password yet, or lost it and has not set the new one. */
  state: z.enum(["active", "invited", "disabled"]),
  /** How this person signs in; nothing: not yet. */
  signsInBy: z.array(z.enum(["password", "provider"])),
  /** Stands in the configuration and is made so again at every start. */
  configured: z.boolean(),
  createdAt: isoTime,
  /** Newest use of a session that still exists. */
  lastSeenAt: isoTime.nullable(),
  sessions: z.int(),
});
export type UserView = z.infer<typeof userSchema>;

/** Shown once: whoever has the path sets the password. */
const oneTimeLinkSchema = z.object({ path: z.string(), expiresAt: isoTime });
export type OneTimeLink = z.infer<typeof oneTimeLinkSchema>;

const sessionSchema = z.object({
  id: z.string(),
  address: z.string().nullable(),
  userAgent: z.string().nullable(),
  since: isoTime,
  lastUsedAt: isoTime,
  expiresAt: isoTime,
  /** The session of this very request. */
  current: z.boolean(),
});
export type SessionView = z.infer<typeof sessionSchema>;
const sessions = z.object({ items: z.array(sessionSchema) });
const ended = z.object({ ended: z.int() });

const apiKeySchema = z.object({
  id: uuid,
  name: z.string(),
  role,
  /** A key of the configuration is changed there and not here. */
  source: z.enum(["configuration", "console"]),
  /** null: all hosts. */
  hosts: z.array(z.object({ id: uuid, name: z.string() })).nullable(),
  state: z.enum(["active", "expired", "revoked"]),
  createdAt: isoTime,
  createdBy: z.string().nullable(),
  expiresAt: isoTime.nullable(),
  lastUsedAt: isoTime.nullable(),
});
export type ApiKeyView = z.infer<typeof apiKeySchema>;

const settingSchema = z.object({
  key: z.string(),
  /** What it does, in words. */
  text: z.string(),
  unit: z.string().nullable(),
  default: z.union([z.string(), z.number(), z.boolean()]).nullable(),
  value: z.union([z.string(), z.number(), z.boolean()]).nullable(),
  source: z.enum(["default", "configuration", "environment"]),
});
export type SettingView = z.infer<typeof settingSchema>;

const noBody = z.strictObject({});
const ofUser = z.strictObject({ userId });

export const userRoutes = {
  list: oc
    .route({ method: "GET", path: "/users", summary: "People with their roles" })
    .input(z.strictObject({ cursor, limit }))
    .output(page(userSchema)),
  invite: oc
    .route({ method: "POST", path: "/users", successStatus: 201, summary: "Invite a person; the link is shown once" })
    .input(z.strictObject({ email: z.email().max(320), role }))
    .output(z.object({ user: userSchema, link: oneTimeLinkSchema })),
  setRole: oc
    .route({ method: "POST", path: "/users/{userId}/role", summary: "Give a person another role; holds at once" })
    .input(z.strictObject({ userId, role }))
    .output(userSchema),
  disable: oc
    .route({ method: "POST", path: "/users/{userId}/disable", summary: "Keep a person out; ends the sessions" })
    .input(ofUser)
    .output(userSchema),
  enable: oc
    .route({ method: "POST", path: "/users/{userId}/enable", summary: "Let a disabled person in again" })
    .input(ofUser)
    .output(userSchema),
  resetPassword: oc
    .route({
      method: "POST",
      path: "/users/{userId}/reset-password",
      summary: "Take password and sessions away; the link for a new password is shown once",
    })
    .input(ofUser)
    .output(z.object({ user: userSchema, link: oneTimeLinkSchema })),
  remove: oc
    .route({ method: "DELETE", path: "/users/{userId}", summary: "Delete a person; what the audit says stays" })
    .input(ofUser)
    .output(z.object({ deleted: z.literal(true) })),
  sessions: oc
    .route({ method: "GET", path: "/users/{userId}/sessions", summary: "Open sessions of a person" })
    .input(ofUser)
    .output(sessions),
  endSession: oc
    .route({ method: "POST", path: "/users/{userId}/sessions/{sessionId}/end", summary: "End one session of a person" })
    .input(z.strictObject({ userId, sessionId }))
    .output(ended),
  endSessions: oc
    .route({ method: "POST", path: "/users/{userId}/sessions/end", summary: "Sign a person out everywhere" })
    .input(ofUser)
    .output(ended),
};

export const accountRoutes = {
  get: oc
    .route({ method: "GET", path: "/account", summary: "The signed-in person" })
    .input(noBody.optional())
    .output(userSchema.pick({ email: true, name: true, role: true, signsInBy: true, configured: true })),
  sessions: oc
    .route({ method: "GET", path: "/account/sessions", summary: "Own open sessions" })
    .input(noBody.optional())
    .output(sessions),
  endSession: oc
    .route({ method: "POST", path: "/account/sessions/{sessionId}/end", summary: "End one of the own sessions" })
    .input(z.strictObject({ sessionId }))
    .output(ended),
  signOutEverywhere: oc
    .route({ method: "POST", path: "/account/sign-out-everywhere", summary: "End all own sessions, this one too" })
    .input(noBody)
    .output(ended),
  changePassword: oc
    .route({ method: "POST", path: "/account/password", summary: "Set a new own password; ends the other sessions" })
    .input(z.strictObject({ current: z.string().min(1).max(PASSWORD_LENGTH.max), next: newPassword }))
    .output(ended),
};

export const apiKeyRoutes = {
  list: oc
    .route({ method: "GET", path: "/api-keys", summary: "Programs' keys with their last use" })
    .input(z.strictObject({ cursor, limit }))
    .output(page(apiKeySchema)),
  create: oc
    .route({ method: "POST", path: "/api-keys", successStatus: 201, summary: "Make a key; its secret is shown once" })
    .input(
      z.strictObject({
        name: personName,
        role,
        /** Absent: all hosts. */
        hosts: z.array(uuid).min(1).max(200).optional(),
        /** Absent: does not expire. */
        expiresAt: isoTime.optional(),
      }),
    )
    .output(z.object({ key: apiKeySchema, secret: z.string() })),
  revoke: oc
    .route({ method: "POST", path: "/api-keys/{keyId}/revoke", summary: "A key works no more, at once" })
    .input(z.strictObject({ keyId: uuid }))
    .output(apiKeySchema),
};

export const settingsRoutes = {
  get: oc
    .route({ method: "GET", path: "/settings", summary: "Settings with default, effective value and source" })
    .input(noBody.optional())
    .output(z.object({ items: z.array(settingSchema) })),
};
