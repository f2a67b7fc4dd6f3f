/** Lets the job queue write inside our transaction: what is sent is there when the transaction commits, or never was. */
import { sql } from "drizzle-orm";
import { fromDrizzle, type Db as QueueDb } from "pg-boss";
import type { Reader } from "./client.ts";

export const queueDatabase = (tx: Reader): QueueDb => fromDrizzle(tx, sql);
