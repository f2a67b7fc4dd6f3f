/** Around every call, whether it came over HTTP or from a page on the server: role first, then scope, then parse, then the verb. */
import { actorName, requireRole } from "./actor.ts";
import { hideHosts, hideHostsInProblem } from "./hide-hosts.ts";
import { log } from "./log.ts";
import { toProblem } from "./problems.ts";
import { assertInScope, OutOfScope } from "./scope.ts";
import type { Context } from "./state.ts";

type Call = { path: readonly string[]; context: Context; input: unknown; next: () => Promise<unknown> };

/** Throws only `ProblemError`. */
export async function guard({ path, context, input, next }: Call): Promise<unknown> {
  const call = path.join(".");
  try {
    requireRole(context.actor, call);
    await assertInScope(context, call, input);
    return await hideHosts(context, await next());
  } catch (error) {
    const problem = await hideHostsInProblem(context, toProblem(error)).catch(toProblem);
    if (problem.code === "internal") log.error({ call, traceId: context.traceId, err: error }, "a call failed");
    if (problem.code === "forbidden" || problem.code === "rate_limited" || error instanceof OutOfScope) {
      await context.engine.refusals.note({
        actor: actorName(context.actor),
        role: context.actor.role,
        action: call,
        subject: problem.subject,
        detail: problem.message,
        code: problem.code,
        traceId: context.traceId,
      });
    }
    throw problem;
  }
}
