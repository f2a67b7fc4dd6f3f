/** The record against itself: broken links, and checkpoints whose making or deleting never ended. */
import { assertNever } from "../assert-never.ts";
import type { Finding, RecordCheckpoint } from "../model.ts";
import type { DriftContext } from "./context.ts";
import { makeFinding } from "./make.ts";

export function findRecordDefects(ctx: DriftContext): Finding[] {
  return [...brokenLinks(ctx), ...unfinished(ctx)];
}

function brokenLinks(ctx: DriftContext): Finding[] {
  if (ctx.order.ok) return [];
  return ctx.order.offences.flatMap((offence) => {
    switch (offence.kind) {
      case "missing-parent": {
        const evidence = { record: `names the parent "${offence.parentId}", which is not recorded` };
        return [makeFinding({ kind: "record.missing-parent", checkpointId: offence.id, evidence })];
      }
      case "cycle": {
        const [first = null] = offence.ids;
        const shown = offence.ids.slice(0, 5).join(", ") + (offence.ids.length > 5 ? ", …" : "");
        const evidence = { record: `${offence.ids.length} checkpoints are each other's ancestors: ${shown}` };
        return [makeFinding({ kind: "record.cycle", checkpointId: first, evidence })];
      }
      // The database holds an id once per VM; a list from outside is refused before it gets here.
      case "duplicate":
        return [];
      default:
        return assertNever(offence);
    }
  });
}

function unfinished(ctx: DriftContext): Finding[] {
  const findings: Finding[] = [];
  for (const item of ctx.order.ordered) {
    const reason = unfinishedReason(item);
    if (reason === null || ctx.inFlight.has(item.id)) continue;
    // While the backup itself counts as running, backup.stuck is the one thing to say.
    if (ctx.input.runningBackup?.checkpointId === item.id && !reason.startsWith("backup-")) continue;
    const evidence = { record: recordWords(item), ...hostWords(ctx, item) };
    findings.push(makeFinding({ kind: "checkpoint.unfinished", checkpointId: item.id, reason, evidence }));
  }
  return findings;
}

function unfinishedReason(item: RecordCheckpoint): string | null {
  if (item.backup === "failed" || item.backup === "aborted") return `backup-${item.backup}`;
  return item.state === "active" ? null : item.state;
}

function recordWords(item: RecordCheckpoint): string {
  if (item.backup === "failed" || item.backup === "aborted")
    return `the backup that made it ${item.backup === "failed" ? "failed" : "was aborted"}`;
  return item.state === "creating"
    ? "still being created, no job works on it"
    : "still being deleted, no job works on it";
}

function hostWords(ctx: DriftContext, item: RecordCheckpoint): { metadata: string | null } {
  if (!ctx.host.ok) return { metadata: null };
  return { metadata: ctx.host.value.has(item.id) ? "listed" : "not listed" };
}
