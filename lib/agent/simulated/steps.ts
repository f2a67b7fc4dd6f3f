/** The steps of changing operations on a simulated host: they edit its state file as libvirt would change a real one. */
import { setTimeout as sleep } from "node:timers/promises";
import type { HostError } from "#contract/agent-operations.ts";
import { ProblemError } from "#contract/problem.ts";
import { HostFailure, observeError } from "../failure.ts";
import { hostError } from "../host-error.ts";
import {
  type Change,
  type Define,
  type Delete,
  type HostSteps,
  type Pin,
  type Reparent,
  TEMPORARY_CHECKPOINT,
} from "../operations/host-steps.ts";
import { observeDomain, runtimeIdOf } from "./observe.ts";
import { domainsOf, readState, type SimDomain, writeState } from "./state.ts";

type Host = {
  path: string;
  qmp: boolean;
  /** @throws HostFailure while the host is off */
  find: (vmId: string) => SimDomain | undefined;
};

/** What libvirt's own validation looks at: the bitmap of the checkpoint's name in the active image. */
function isSound(domain: SimDomain, target: string, name: string): boolean {
  const bitmaps = domain.disks.find((disk) => disk.target === target)?.layers[0]?.bitmaps;
  return bitmaps?.some((bitmap) => bitmap.name === name && bitmap.recording && !bitmap.inconsistent) ?? false;
}

function define(domain: SimDomain, { id, parentId, createdAt, disks, validate }: Define): HostError | null {
  const others = domain.checkpoints.filter((c) => c.id !== id);
  if (parentId !== null && !others.some((c) => c.id === parentId)) {
    return hostError("parent-not-found", "The host does not know the parent.", { hostMessage: parentId });
  }
  const broken = disks?.find(({ target }) => !isSound(domain, target, id));
  if (validate && broken) {
    const hostMessage = `missing or broken bitmap '${id}' for disk '${broken.target}'`;
    return hostError("checkpoint-inconsistent", "A bitmap that the checkpoint needs is missing or broken.", {
      hostMessage,
    });
  }
  const definition = { id, parentId, createdAt, current: false, hasDisksElement: disks !== null, disks: disks ?? [] };
  const at = domain.checkpoints.findIndex((c) => c.id === id);
  if (at < 0) domain.checkpoints.push(definition);
  else domain.checkpoints[at] = definition;
  return null;
}

function reparent(domain: SimDomain, { id, parentId }: Reparent): HostError | null {
  const found = domain.checkpoints.find((c) => c.id === id);
  return found === undefined ? null : define(domain, { do: "define", ...found, parentId });
}

/** As libvirt: from every layer that holds the bitmap; missing on one disk, none is removed. */
function remove(domain: SimDomain, { id, metadataOnly }: Delete): HostError | null {
  const checkpoint = domain.checkpoints.find((c) => c.id === id);
  if (checkpoint === undefined) return null;
  if (!metadataOnly) {
    if (domain.power === "shut-off") return hostError("not-running", "The domain does not run.");
    const covered = checkpoint.disks.map(({ target, bitmap }) => ({
      bitmap,
      layers: domain.disks.find((disk) => disk.target === target)?.layers ?? [],
    }));
    const lacking = covered.find(({ bitmap, layers }) =>
      layers.every((layer) => layer.bitmaps.every((b) => b.name !== bitmap)),
    );
    if (lacking !== undefined) {
      return hostError("internal", "The host has no such bitmap.", { hostMessage: lacking.bitmap });
    }
    for (const { bitmap, layers } of covered) {
      for (const layer of layers) layer.bitmaps = layer.bitmaps.filter((b) => b.name !== bitmap);
    }
  }
  domain.checkpoints = domain.checkpoints
    .filter((c) => c.id !== id)
    .map((c) => (c.parentId === id ? { ...c, parentId: checkpoint.parentId } : c));
  return null;
}

function perform(domain: SimDomain, change: Change): HostError | null {
  if (change.do === "delete") return remove(domain, change);
  return change.do === "define" ? define(domain, change) : reparent(domain, change);
}

/** Parents first, as libvirt lists them, and the mark of the current one where it can be only one. */
function settle(domain: SimDomain): void {
  const known = new Map(domain.checkpoints.map((c) => [c.id, c]));
  const placed = new Set<string>();
  const ordered: SimDomain["checkpoints"] = [];
  const place = (checkpoint: SimDomain["checkpoints"][number]): void => {
    const path = [];
    for (let at: typeof checkpoint | undefined = checkpoint; at !== undefined && !placed.has(at.id); ) {
      placed.add(at.id);
      path.push(at);
      at = at.parentId === null ? undefined : known.get(at.parentId);
    }
    ordered.push(...path.reverse());
  };
  for (const checkpoint of domain.checkpoints) place(checkpoint);
  const parents = new Set(ordered.map((c) => c.parentId));
  const leaves = ordered.filter((c) => !parents.has(c.id));
  domain.checkpoints = ordered.map((c) => ({ ...c, current: leaves.length === 1 && c === leaves[0] }));
}

export function makeSimulatedSteps({ path, qmp, find }: Host): HostSteps {
  function lookUp(vmId: string): SimDomain {
    const domain = find(vmId);
    if (domain !== undefined) return domain;
    throw new ProblemError("not_found", "This host has no such domain.", { subject: vmId });
  }
  /** Edits the newest state in one go; a refusal writes nothing. */
  function edit<T>({ vmId, runtimeId }: Pin, work: (domain: SimDomain) => T): T {
    lookUp(vmId);
    const state = readState(path);
    const domain = domainsOf(state).get(vmId);
    if (domain === undefined || runtimeIdOf(domain) !== runtimeId) {
      const words = domain === undefined ? "gone" : (runtimeIdOf(domain) ?? "not running");
      throw new HostFailure(observeError("domain-changed", "The domain was started or stopped meanwhile.", words));
    }
    if (domain.job !== null) {
      throw new HostFailure(observeError("lock-held", `A ${domain.job.operation} job is on this domain.`));
    }
    const before = JSON.stringify(domain);
    const result = work(domain);
    settle(domain);
    if (JSON.stringify(domain) !== before) {
      state.domains = [...state.domains.filter((d) => d.vmId !== vmId), domain];
      writeState(path, state);
    }
    return result;
  }
  return {
    async observe(vmId) {
      return observeDomain(lookUp(vmId), qmp);
    },
    async change(pin, changes) {
      await sleep(readState(path).changeMs ?? 0);
      return edit(pin, (domain) => {
        if (changes.length === 0) remove(domain, { do: "delete", id: TEMPORARY_CHECKPOINT, metadataOnly: true });
        for (const [done, change] of changes.entries()) {
          const error = perform(domain, change);
          if (error !== null) return { done, error };
        }
        return { done: changes.length, error: null };
      });
    },
    async removeImageBitmap(pin, { path: image, bitmap }) {
      edit(pin, (domain) => {
        for (const layer of domain.disks.flatMap((disk) => disk.layers)) {
          if (layer.path === image) layer.bitmaps = layer.bitmaps.filter((b) => b.name !== bitmap);
        }
      });
      return null;
    },
  };
}
