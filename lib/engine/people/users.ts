/** What several verbs on one person need first. */
import type { UserView } from "#contract/engine.ts";
import { ProblemError } from "#contract/problem.ts";
import { countOtherAdmins, getUser, type Reader, type Tx, type UserRow } from "#db/index.ts";
import { toRole } from "../actor.ts";
import type { Context, Engine } from "../state.ts";

const noSuchUser = (userId: string) =>
  new ProblemError("not_found", `There is no user ${userId}.`, { subject: userId });

const isConfigured = ({ config }: Engine, { email }: UserRow): boolean => config.admin?.email.toLowerCase() === email;

export function toUserView(engine: Engine, user: UserRow): UserView {
  const { disabledAt, providers, ...rest } = user;
  return {
    ...rest,
    role: toRole(user.role),
    state: disabledAt ? "disabled" : providers.length === 0 ? "invited" : "active",
    signsInBy: providers.map((provider) => (provider === "credential" ? "password" : "provider")),
    configured: isConfigured(engine, user),
  };
}

export async function requireUser(tx: Reader, userId: string): Promise<UserRow> {
  const user = await getUser(tx, userId);
  if (!user) throw noSuchUser(userId);
  return user;
}

/** A person whom this actor may change: not oneself, and not the admin whom the configuration makes again. */
export async function requireOther({ engine, actor }: Context, tx: Tx, userId: string): Promise<UserRow> {
  const user = await requireUser(tx, userId);
  const refuse = (why: string) => new ProblemError("conflict", why, { subject: userId });
  if (actor.userId === userId) throw refuse("Nobody changes their own rights; ask another administrator.");
  if (isConfigured(engine, user)) {
    throw refuse(
      `${user.email} is the administrator of the configuration, and every start makes this account so again.`,
    );
  }
  return user;
}

/** @throws ProblemError conflict, when nobody would be left who can let others in */
export async function assertNotLastAdmin(tx: Tx, user: UserRow): Promise<void> {
  if (user.role !== "admin" || user.disabledAt) return;
  if ((await countOtherAdmins(tx, user.id)) > 0) return;
  throw new ProblemError("conflict", `${user.email} is the last administrator; make another one first.`, {
    subject: user.id,
  });
}

export async function viewOf(engine: Engine, tx: Reader, userId: string): Promise<UserView> {
  return toUserView(engine, await requireUser(tx, userId));
}
