/** What has changed on the host since a plan was computed, in words: a plan that is refused says why. */
import { viewBitmaps } from "../bitmaps.ts";
import type { DiskLayer, DiskObservation, HostCheckpoint, Observation, ObserveError, Read } from "../model.ts";
import { readCheckpoints } from "../trust.ts";

/** `what` names a part of the VM ("checkpoint cp3 in libvirt"), `was` and `is` what was and is so of it. */
export type BasisChange = { what: string; was: string; is: string };

const NONE = "not there";
/** One plan names so many changes; the rest is counted. */
const MOST = 50;

/**
 * Differences between the read that a plan stands on and a newer one. Dirty counts, which move all the time, are none.
 * `was` null: that read is not known any more. Empty exactly when nothing that matters differs.
 */
export function describeChanges(was: Observation | null, is: Observation): BasisChange[] {
  if (was === null) return [];
  const changes = [
    one("name of the VM", was.name, is.name),
    one("state of the VM", was.power, is.power),
    one("run of the VM", was.runtimeId ?? "does not run", is.runtimeId ?? "does not run"),
    one("definition of the VM", persistence(was), persistence(is)),
    one("libvirt's job on the VM", jobOf(was), jobOf(is)),
    one("where bitmaps were read", was.source, is.source),
    ...compareReads("libvirt's checkpoints", readCheckpoints(was), readCheckpoints(is), checkpointsOf),
    ...compareDisks(was, is),
  ].filter((change) => change !== null);
  if (changes.length <= MOST) return changes;
  const left = changes.length - MOST;
  return [...changes.slice(0, MOST), { what: `${left} further things`, was: "as planned", is: "different" }];
}

const one = (what: string, was: string, is: string): BasisChange | null => (was === is ? null : { what, was, is });

function compare(was: ReadonlyMap<string, string>, is: ReadonlyMap<string, string>): (BasisChange | null)[] {
  const keys = new Set([...was.keys(), ...is.keys()]);
  return [...keys].sort().map((key) => one(key, was.get(key) ?? NONE, is.get(key) ?? NONE));
}

const persistence = (observation: Observation): string => (observation.persistent ? "persistent" : "transient");
const jobOf = ({ job }: Observation): string => (job.ok ? job.value.operation : cannotTell(job.error));
const cannotTell = (error: ObserveError): string => `cannot tell (${error.code})`;

/** Lists that both were read are compared item by item; of one that was not read nothing more can be said. */
function compareReads<T>(
  what: string,
  was: Read<T>,
  is: Read<T>,
  itemsOf: (value: T) => Map<string, string>,
): (BasisChange | null)[] {
  if (was.ok && is.ok) return compare(itemsOf(was.value), itemsOf(is.value));
  return [one(what, was.ok ? "read" : cannotTell(was.error), is.ok ? "read" : cannotTell(is.error))];
}

const checkpointsOf = (list: HostCheckpoint[]): Map<string, string> =>
  new Map(list.map((item) => [`checkpoint ${item.id} in libvirt`, checkpointWords(item)]));

function checkpointWords({ parentId, createdAt, current, hasDisksElement, disks }: HostCheckpoint): string {
  const covered = disks.map((disk) => `${disk.target}:${disk.bitmap}`).sort();
  const on = hasDisksElement ? covered.join(" ") || "no disk" : "no list of disks";
  return `made ${createdAt}, parent ${parentId ?? "none"}, on ${on}${current ? ", current" : ""}`;
}

function compareDisks(was: Observation, is: Observation): (BasisChange | null)[] {
  const targets = new Set([...was.disks, ...is.disks].map((disk) => disk.target));
  return [...targets].sort().flatMap((target) => {
    const before = was.disks.find((disk) => disk.target === target);
    const after = is.disks.find((disk) => disk.target === target);
    const image = one(`disk ${target}`, before ? diskWords(before) : NONE, after ? diskWords(after) : NONE);
    if (!before || !after) return [image];
    return [
      image,
      ...compareReads(`bitmaps on ${target}`, before.layers, after.layers, (list) => layerItems(target, list)),
    ];
  });
}

function diskWords({ source, format, virtualSize, identity }: DiskObservation): string {
  const image = identity
    ? `${identity.path}, inode ${identity.inode ?? "unknown"} on ${identity.device ?? "unknown"}`
    : (source ?? "no image");
  return `${format}, ${virtualSize ?? "unknown"} bytes, ${image}`;
}

function layerItems(target: string, layers: DiskLayer[]): Map<string, string> {
  const items = new Map([
    [`images of ${target}`, layers.map((layer) => `${layer.path} (${layer.format})`).join(" on ")],
  ]);
  for (const { name, state, granularity, layer } of viewBitmaps(target, layers).values()) {
    // A job that reads a bitmap marks it busy; that is no change of it.
    const word = state === "busy" ? "recording" : state;
    items.set(`bitmap ${name} on ${target}`, `${word}, ${granularity} bytes a bit, in ${layer}`);
  }
  return items;
}
