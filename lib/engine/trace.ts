/** The id of the request that is being served, for what it sets off elsewhere: calls of agents carry it on. */
import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";

const KEY = Symbol.for("driftline.trace");
/** One for all bundles of this process. */
const holder = globalThis as { [KEY]?: AsyncLocalStorage<string> };
holder[KEY] ??= new AsyncLocalStorage<string>();
const current = holder[KEY];

/** Runs what serves a request, so that its agents' calls carry its id. */
export const withTrace = <T>(traceId: string, work: () => T): T => current.run(traceId, work);

/** The id of the request being served; a new one where nobody asked, such as in a sweep. */
export const traceIdNow = (): string => current.getStore() ?? randomUUID();
