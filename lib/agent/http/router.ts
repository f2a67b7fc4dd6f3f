/** The contract's procedures, each a call of the driver. */
import { implement } from "@orpc/server";
import { LIMITS } from "#chain/limits.ts";
import { agentContract, type HostEvent, type ObserveItem, observeItemSchema } from "#contract/agent.ts";
import { formatPath } from "#contract/offences.ts";
import type { AgentConfig } from "../config.ts";
import type { DomainItem, HostDriver } from "../driver.ts";
import { observeError } from "../failure.ts";
import { DomainLocks } from "../operations/domain-locks.ts";
import { readRedefineInput } from "../operations/redefine-input.ts";
import { validateCheckpoints } from "../operations/validate.ts";
import type { Pairing } from "../pairing/pairing.ts";

export type AgentContext = {
  traceId: string;
  shutdown: AbortSignal;
  /** SHA-256 of the token that was sent; empty for the one call that needs none. */
  tokenSha256: string;
};

const HEARTBEAT_MS = 15_000;
export const AGENT_VERSION = "0.1.0";

const os = implement(agentContract).$context<AgentContext>();
/** Its items are checked one by one in `withDone`: oRPC's own check would end the stream at the first that does not fit. */
const itemwise = implement(agentContract)
  .$context<AgentContext>()
  .$config({ initialOutputValidationIndex: Number.NaN });
/** Checks its input itself: the contract's check would end at the schema and hide what else is wrong with the list. */
const unchecked = implement(agentContract)
  .$context<AgentContext>()
  .$config({ initialInputValidationIndex: Number.NaN });
const isoNow = (): string => new Date().toISOString();

/** The item, or a typed failure of that one domain when what the host said does not fit the contract. */
export function checkItem(item: DomainItem): ObserveItem {
  const result = observeItemSchema.safeParse(item);
  if (result.success) return result.data;
  const vmId = item.type === "observation" ? item.observation.vmId : item.vmId;
  const issue = result.error.issues[0];
  const words = issue === undefined ? null : `${formatPath(issue.path) || "the answer"}: ${issue.message}`;
  const error = observeError("internal", "What the host said of this domain does not fit the API.", words);
  return { type: "failed", vmId, at: isoNow(), error };
}

/** The items, then `done` with their number: a stream without it was cut off. */
async function* withDone(items: AsyncGenerator<DomainItem>, signal: AbortSignal): AsyncGenerator<ObserveItem, void> {
  let count = 0;
  for await (const item of items) {
    count += 1;
    yield checkItem(item);
  }
  if (!signal.aborted) yield { type: "done", at: isoNow(), count };
}

/** The events, with a heartbeat whenever the host is quiet, so that a reader can tell quiet from dead. */
async function* withHeartbeat(events: AsyncGenerator<HostEvent>): AsyncGenerator<HostEvent, void> {
  try {
    let next = events.next();
    for (;;) {
      let timer: NodeJS.Timeout | undefined;
      const beat = new Promise<"beat">((resolve) => {
        timer = setTimeout(() => resolve("beat"), HEARTBEAT_MS);
      });
      const first = await Promise.race([next, beat]);
      clearTimeout(timer);
      if (first === "beat") yield { type: "heartbeat", at: isoNow() };
      else if (first.done) return;
      else {
        next = events.next();
        yield first.value;
      }
    }
  } finally {
    void events.return(undefined);
  }
}

const either = (signal: AbortSignal | undefined, shutdown: AbortSignal): AbortSignal =>
  signal === undefined ? shutdown : AbortSignal.any([signal, shutdown]);

export function makeRouter(config: AgentConfig, driver: HostDriver, pairing: Pairing) {
  const locks = new DomainLocks();
  return os.router({
    host: os.host.handler(async () => ({
      name: config.name,
      agentVersion: AGENT_VERSION,
      libvirtUri: config.libvirtUri,
      now: isoNow(),
      repositories: config.repositories,
      limits: { ...LIMITS },
      ...(await driver.host()),
    })),
    domains: os.domains.handler(async () => {
      const at = isoNow();
      return { items: await driver.listDomains(), at };
    }),
    observe: itemwise.observe.handler(async ({ input, signal, context }) => {
      const until = either(signal, context.shutdown);
      const items = await driver.observe({ vmIds: input.domains, known: input.known, signal: until });
      return withDone(items, until);
    }),
    validate: os.validate.handler(({ input }) => validateCheckpoints(driver, input)),
    // Those of a running VM need a job on it, which no change may meet.
    extents: os.extents.handler(({ input }) => locks.look(input.vmId, "read extents", () => driver.extents(input))),
    events: os.events.handler(async ({ signal, context }) =>
      withHeartbeat(driver.events(either(signal, context.shutdown))),
    ),
    redefine: unchecked.redefine.handler(async ({ input: sent }) => {
      const input = await readRedefineInput(driver, sent);
      return await locks.run(input.vmId, "redefine", () => driver.redefine(input));
    }),
    deleteCheckpoints: os.deleteCheckpoints.handler(({ input }) =>
      locks.run(input.vmId, "delete checkpoints", () => driver.deleteCheckpoints(input)),
    ),
    deleteBitmaps: os.deleteBitmaps.handler(({ input }) =>
      locks.run(input.vmId, "delete bitmaps", () => driver.deleteBitmaps(input)),
    ),
    beginBackup: os.beginBackup.handler(({ input }) =>
      locks.run(input.vmId, "begin a backup", () => driver.beginBackup(input)),
    ),
    currentBackup: os.currentBackup.handler(({ input }) => driver.currentBackup(input)),
    abortBackup: os.abortBackup.handler(({ input }) =>
      locks.run(input.vmId, "abort a backup", () => driver.abortBackup(input)),
    ),
    discardFiles: os.discardFiles.handler(({ input }) => driver.discardFiles(input)),
    verifyBackup: os.verifyBackup.handler(({ input, signal, context }) =>
      driver.verifyBackup(input, either(signal, context.shutdown)),
    ),
    pair: os.pair.handler(({ input, context }) => {
      pairing.pair(input, context.traceId);
      return { name: config.name, agentVersion: AGENT_VERSION };
    }),
    rotateToken: os.rotateToken.handler(({ input, context }) => ({
      accepted: pairing.tokens.rotate(context.tokenSha256, input.tokenSha256),
    })),
    confirmToken: os.confirmToken.handler(({ context }) => ({ accepted: pairing.tokens.confirm(context.tokenSha256) })),
    revokeToken: os.revokeToken.handler(({ context }) => ({ accepted: pairing.tokens.revoke(context.tokenSha256) })),
  });
}
