/**
 * The queue that wakes a worker for a job: pg-boss in its own schema of our database. It carries the job's id and
 * nothing else, and it decides nothing: a message that is lost, late or sent twice changes nothing, because the row in
 * `jobs` and the VM's lease say what is to be done (see `workers.ts`).
 */
import { PgBoss } from "pg-boss";
import { queueDatabase, type Tx } from "#db/index.ts";
import { log } from "../log.ts";

const QUEUE = "driftline-jobs";
/** A message whose worker is gone is given to another after this; the lease of the VM runs out sooner. */
const HEARTBEAT_SECONDS = 15;
const LONGEST_SECONDS = 24 * 3_600;
const STOP_MS = 10_000;

const KEY = Symbol.for("driftline.queues");
/**
 * Started queues of this process. Sending needs one only to make the statement, which is the same for every database;
 * a global, because Next bundles the routes that send and the instrumentation that starts apart.
 */
function startedQueues(): Set<PgBoss> {
  const holder = globalThis as { [KEY]?: Set<PgBoss> };
  holder[KEY] ??= new Set();
  return holder[KEY];
}

export type JobQueue = {
  /** Hands each message to `take`, which may keep it waiting while there is too much to do, and then takes it over. */
  work: (take: (jobId: string) => Promise<void>) => Promise<void>;
  stop: () => Promise<void>;
};

/** Makes the schema and the queue when they are not there. Safe with several processes starting at once. */
export async function openQueue(databaseUrl: string): Promise<JobQueue> {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    application_name: "driftline-queue",
    schema: "pgboss",
    max: 3,
    useListenNotify: true,
    schedule: false,
    registerInstance: false,
    monitorVacuum: false,
    superviseIntervalSeconds: 10,
    // A message that outlived its worker is found by its heartbeat; this is how often somebody looks.
    monitorIntervalSeconds: 10,
  });
  // Without a listener an error would end the process; the queue goes on by itself.
  boss.on("error", (error) => log.warn({ reason: error.message }, "the job queue met an error"));
  await boss.start();
  await boss.createQueue(QUEUE, {
    // At most one waiting message for a job; running ones do not count, so that a dead worker never blocks the next.
    policy: "short",
    notify: true,
    retryLimit: 3,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: 10,
    expireInSeconds: LONGEST_SECONDS,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    deleteAfterSeconds: 3_600,
  });
  startedQueues().add(boss);
  return {
    work: async (take) => {
      await boss.work<{ jobId: string }>(
        QUEUE,
        { batchSize: 10, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 },
        async (messages) => {
          for (const message of messages) await take(message.data.jobId);
        },
      );
    },
    stop: async () => {
      startedQueues().delete(boss);
      await boss.stop({ graceful: true, timeout: STOP_MS, close: true });
    },
  };
}

/**
 * Wakes a worker for a job when the transaction commits. Sending again while a message waits does nothing.
 * `afterSeconds`: not before then. @throws Error when no queue is started in this process
 */
export async function enqueueJob(tx: Tx, job: { jobId: string; vmId: string; afterSeconds?: number }): Promise<void> {
  const [boss] = startedQueues();
  if (!boss) throw new Error("the job queue is not started");
  await boss.send(
    QUEUE,
    { jobId: job.jobId },
    { db: queueDatabase(tx), singletonKey: job.jobId, startAfter: job.afterSeconds ?? 0 },
  );
}
