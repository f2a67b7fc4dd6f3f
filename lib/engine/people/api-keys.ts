/** Programs' keys, as an admin sees and makes them. */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { ApiKeyView, Role } from "#contract/engine.ts";
import { invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import {
  type ApiKeyRow,
  listApiKeys as find,
  findUnknownHosts,
  getApiKey,
  insertApiKey,
  revokeApiKey as revoke,
} from "#db/index.ts";
import { actorName, toRole } from "../actor.ts";
import { sha256 } from "../auth/authenticate.ts";
import { cursorText, decodeCursor, encodeCursor } from "../cursor.ts";
import type { Context } from "../state.ts";
import { changePeople } from "./write.ts";

function toView({ revoked, ...key }: ApiKeyRow): ApiKeyView {
  const isExpired = key.expiresAt !== null && Date.parse(key.expiresAt) <= Date.now();
  return { ...key, role: toRole(key.role), state: revoked ? "revoked" : isExpired ? "expired" : "active" };
}

export async function listApiKeys({ engine }: Context, { cursor, limit }: { cursor?: string; limit: number }) {
  const after = decodeCursor(cursor, "keys", z.tuple([cursorText]))?.[0] ?? null;
  const { items, more, total } = await find(engine.db.orm, { after, limit });
  const last = items.at(-1);
  return {
    items: items.map(toView),
    nextCursor: more && last ? encodeCursor("keys", [last.name]) : null,
    total,
  };
}

/** Makes a key. Its secret is in this answer and nowhere else: only the SHA-256 is kept. */
export function createApiKey(
  context: Context,
  input: { name: string; role: Role; hosts?: string[]; expiresAt?: string },
): Promise<{ key: ApiKeyView; secret: string }> {
  return changePeople(context, "apiKeys.create", async (tx) => {
    const { name, role } = input;
    const hosts = input.hosts ? [...new Set(input.hosts)] : null;
    const expiresAt = input.expiresAt ? new Date(input.expiresAt) : null;
    if (expiresAt && expiresAt.getTime() <= Date.now())
      throw invalidInput([{ field: "expiresAt", reason: "lies in the past" }]);
    const unknown = await findUnknownHosts(tx, hosts ?? []);
    if (unknown.length > 0) {
      throw invalidInput(
        unknown.map((id) => ({ field: `hosts[${input.hosts?.indexOf(id)}]`, reason: "there is no such host" })),
      );
    }
    const secret = `dlk_${randomBytes(32).toString("base64url")}`;
    const row = { name, role, sha256: sha256(secret), hosts, expiresAt, createdBy: actorName(context.actor) };
    const id = await insertApiKey(tx, row);
    const made = id && (await getApiKey(tx, id));
    if (!made) {
      const errors = [{ field: "name", reason: "is taken" }];
      throw new ProblemError("conflict", `There is or was a key named ${name}; take another name.`, { errors });
    }
    const scope = made.hosts ? made.hosts.map((host) => host.name).join(", ") : "all hosts";
    const detail = `${name} as ${role}, ${scope}, ${expiresAt ? `until ${expiresAt.toISOString()}` : "without end"}`;
    return { result: { key: toView(made), secret }, audit: { subject: made.id, detail } };
  });
}

/** From the next request on the key is unknown. Again: as it is. */
export function revokeApiKey(context: Context, { keyId }: { keyId: string }): Promise<ApiKeyView> {
  return changePeople(context, "apiKeys.revoke", async (tx) => {
    const key = await getApiKey(tx, keyId);
    if (!key) throw new ProblemError("not_found", `There is no API key ${keyId}.`, { subject: keyId });
    if (key.source === "configuration") {
      const why = `The key ${key.name} stands in the configuration; take it out there.`;
      throw new ProblemError("conflict", why, { subject: keyId });
    }
    const isNothing = key.revoked;
    if (!isNothing) await revoke(tx, keyId);
    const detail = isNothing ? `${key.name} is revoked already` : key.name;
    return { result: toView({ ...key, revoked: true }), audit: { subject: keyId, detail, isNothing } };
  });
}
