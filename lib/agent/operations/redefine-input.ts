/** Reads the request of a bulk redefinition; one that is not valid is refused with everything that is wrong with it. */
import { z } from "zod";
import { LIMITS, VM_ID } from "#chain/limits.ts";
import { type RedefineInput, redefineInput } from "#contract/agent-operations.ts";
import { invalidInput, type Offence, type SchemaIssue, toOffences } from "#contract/offences.ts";
import type { HostDriver } from "../driver.ts";
import { findOffences, findUnknownDisks } from "./definitions.ts";
import { observeNow } from "./validate.ts";

const NO_DISK = { target: "" };
const NO_CHECKPOINT = { id: "", parentId: null, createdAt: "", disks: [] };
/** What of any request can be judged as a list. What is of another type counts as empty: the schema says so of it. */
const draftSchema = z.object({
  vmId: z.string().catch(""),
  mode: z.unknown(),
  checkpoints: z
    .array(
      z
        .object({
          id: z.string().catch(""),
          parentId: z.string().nullable().catch(null),
          createdAt: z.string().catch(""),
          disks: z.array(z.object({ target: z.string().catch("") }).catch(NO_DISK)).catch([]),
        })
        .catch(NO_CHECKPOINT),
    )
    .max(LIMITS.checkpointsPerVm),
});
type Draft = z.infer<typeof draftSchema>;

/** @throws ProblemError `invalid_input` with every offence of the schema, of the list, and of the domain's disks */
export async function readRedefineInput(driver: HostDriver, sent: unknown): Promise<RedefineInput> {
  const read = redefineInput.safeParse(sent);
  if (read.success) return read.data;
  const refused = toOffences(read.error.issues as readonly SchemaIssue[]);
  const draft = draftSchema.safeParse(sent);
  const more = draft.success ? await findMore(driver, draft.data) : [];
  const fields = new Set(refused.map(({ field }) => field));
  throw invalidInput([...refused, ...more.filter(({ field }) => !waysTo(field).some((way) => fields.has(way)))]);
}

async function findMore(driver: HostDriver, { vmId, mode, checkpoints }: Draft): Promise<Offence[]> {
  const offences = findOffences(checkpoints);
  if (mode === "salvage" || !VM_ID.test(vmId)) return offences;
  // A domain that cannot be read now hides nothing of the rest.
  const observation = await observeNow(driver, vmId).catch(() => null);
  return observation === null ? offences : [...offences, ...findUnknownDisks(checkpoints, observation)];
}

/** `a[1].b` → `a`, `a[1]`, `a[1].b`: what is refused as a whole is not judged in its parts. */
function waysTo(field: string): string[] {
  const ends = [...field.matchAll(/[.[]/g)].map(({ index }) => index);
  return [...ends, field.length].map((end) => field.slice(0, end));
}
