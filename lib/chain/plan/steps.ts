/** Every call of a plan, one line each, as it will be made. */
import { assertNever } from "../assert-never.ts";
import { nameList } from "../words/plans.ts";
import { type PlanState, planFacts } from "./facts.ts";
import { hostSteps } from "./host-steps.ts";
import { type PlanAction, type PlanCounts, type PlanPolicy, type PlanStep, placeOf } from "./model.ts";
import { simulate } from "./simulate.ts";

/** A step without its number. `place`: where it is another one than its action's. */
export type Line = Pick<PlanStep, "subject" | "call" | "reversible" | "checkpointIds" | "disks" | "place">;

export type Listed = { steps: PlanStep[]; counts: PlanCounts; after: PlanState };

/** Walks the actions over the model, so that each step knows what is there when its turn comes. Every action has a step. */
export function listSteps(
  state: PlanState,
  actions: readonly PlanAction[],
  policy: Pick<PlanPolicy, "digestBackups"> = {},
): Listed {
  const steps: PlanStep[] = [];
  const counts = { define: 0, replace: 0, deleteCheckpoints: 0, deleteBitmaps: 0 };
  let at = state;
  actions.forEach((action, index) => {
    for (const line of linesOf(at, action, counts, policy)) {
      steps.push({ n: steps.length + 1, action: index, verb: action.verb, place: placeOf(action.verb), ...line });
    }
    at = simulate(at, action);
  });
  return { steps, counts: { ...counts, ...recordCounts(actions) }, after: at };
}

function recordCounts(actions: readonly PlanAction[]) {
  const disks = actions.flatMap((action) => (action.verb === "host.backup" ? action.disks : []));
  return {
    recordChanges: actions.filter(({ verb }) => verb.startsWith("record.")).length,
    fullDisks: disks.filter(({ mode }) => mode === "full").length,
    incrementalDisks: disks.filter(({ mode }) => mode === "incremental").length,
  };
}

function linesOf(
  state: PlanState,
  action: PlanAction,
  counts: Omit<PlanCounts, keyof ReturnType<typeof recordCounts>>,
  policy: Pick<PlanPolicy, "digestBackups">,
): Line[] {
  switch (action.verb) {
    case "host.redefine":
    case "host.delete-checkpoints":
    case "host.delete-bitmaps":
    case "host.backup":
    case "host.abort-job":
      return hostSteps(planFacts(state), action, counts, policy);
    case "record.mark-deleting":
      return [record("UPDATE vm_checkpoints SET state = 'deleting'", action.ids, [], true)];
    case "record.delete":
      return [record("DELETE FROM vm_checkpoints, children linked to the parent", action.ids, [], false)];
    case "record.drop-disks": {
      const ids = [...new Set(action.items.map(({ checkpointId }) => checkpointId))];
      const disks = [...new Set(action.items.map(({ disk }) => disk))];
      const pairs = nameList(action.items.map(({ checkpointId, disk }) => `${checkpointId} on ${disk}`));
      return [{ ...record(`DELETE FROM vm_checkpoint_disk_map: ${pairs}`, ids, disks, false) }];
    }
    case "record.adopt": {
      const ids = action.checkpoints.map(({ id }) => id);
      const disks = [...new Set(action.checkpoints.flatMap((item) => item.disks))];
      return [record("INSERT INTO vm_checkpoints, vm_checkpoint_disk_map", ids, disks, true)];
    }
    case "record.relink": {
      const links = action.items.map((item) => `${item.checkpointId} → ${item.parentId ?? "no parent"}`);
      const ids = action.items.map(({ checkpointId }) => checkpointId);
      return [record(`UPDATE vm_checkpoints SET parent_id: ${nameList(links)}`, ids, [], true)];
    }
    case "record.accept-images":
      return [
        record(`UPDATE disks SET identity = ${imagesOf(action)}; its counts start anew`, [], action.disks, false),
      ];
    case "record.retire-disks":
      return [record("UPDATE disks SET retired_at = now()", [], action.disks, true)];
    case "record.acknowledge":
      return [
        {
          subject: action.findingIds.length === 1 ? "1 finding" : `${action.findingIds.length} findings`,
          call: `UPDATE findings SET acknowledged = true: ${nameList(action.findingIds)}`,
          reversible: true,
          checkpointIds: [],
          disks: [],
        },
      ];
    case "record.close-backup":
      return [{ ...record("UPDATE vm_backups SET state = 'failed'", [], [], false), subject: "the running backup" }];
    case "prove":
      return [proof(state)];
    default:
      return assertNever(action);
  }
}

function record(call: string, checkpointIds: string[], disks: string[], reversible: boolean): Line {
  return { subject: subjectOf(checkpointIds, disks), call, reversible, checkpointIds, disks };
}

function subjectOf(ids: readonly string[], disks: readonly string[]): string {
  const parts = [
    ids.length > 0 ? `record of ${nameList(ids)}` : null,
    disks.length > 0 ? (disks.length === 1 ? `disk ${disks[0]}` : `disks ${nameList(disks)}`) : null,
  ].filter((part) => part !== null);
  return parts.join(", ");
}

function imagesOf({ disks, seen }: Extract<PlanAction, { verb: "record.accept-images" }>): string {
  return nameList(disks.map((target) => seen?.images.find((one) => one.target === target)?.identity?.path ?? target));
}

function proof({ observation }: PlanState): Line {
  const isLive = observation.power === "running" || observation.power === "paused";
  const bitmaps = isLive ? "QMP query-named-block-nodes" : "qemu-img info --backing-chain";
  const call = `virDomainListAllCheckpoints, virDomainGetJobInfo, ${bitmaps}`;
  return { subject: "the VM, observed again", call, reversible: true, checkpointIds: [], disks: [] };
}
