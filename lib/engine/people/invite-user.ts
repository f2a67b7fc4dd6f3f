import type { Role } from "#contract/engine.ts";
import { ProblemError } from "#contract/problem.ts";
import { insertUser } from "#db/index.ts";
import type { Context } from "../state.ts";
import { makeLink } from "./links.ts";
import { viewOf } from "./users.ts";
import { changePeople } from "./write.ts";

/** Makes a person who cannot sign in yet, and the link with which that person sets name and password. */
export function inviteUser(context: Context, { email, role }: { email: string; role: Role }) {
  return changePeople(context, "users.invite", async (tx) => {
    const address = email.toLowerCase();
    const id = await insertUser(tx, { email: address, name: address.split("@")[0] ?? address, role });
    if (!id) {
      const errors = [{ field: "email", reason: "is known already" }];
      throw new ProblemError("conflict", `There is a user with the address ${address} already.`, { errors });
    }
    const link = await makeLink(tx, id, "invitation");
    const user = await viewOf(context.engine, tx, id);
    return { result: { user, link }, audit: { subject: id, detail: `${address} as ${role}` } };
  });
}
