/** The images that a plan saw when a person accepted them: only these are trusted when its job comes to it. */
import { differingField } from "../findings/replaced.ts";
import type { ImageIdentity } from "../model.ts";
import type { PlanAction, PlanInput } from "./model.ts";

type AcceptImages = Extract<PlanAction, { verb: "record.accept-images" }>;

export function acceptImages(
  { hostId, observation }: Pick<PlanInput, "hostId" | "observation">,
  targets: readonly string[],
): AcceptImages {
  const disks = [...new Set(targets)];
  const images = disks.map((target) => ({
    target,
    identity: observation.disks.find((disk) => disk.target === target)?.identity ?? null,
  }));
  return { verb: "record.accept-images", disks, seen: { hostId, images } };
}

/** What stands behind a target when the job comes to it. */
export type StandingImage = { hostId: string; identity: ImageIdentity };

/** Why the image that stands there now is not the one that was accepted; null: it is. */
export function differsFromAccepted(
  { seen }: Pick<AcceptImages, "seen">,
  target: string,
  { hostId, identity }: StandingImage,
): string | null {
  const image = seen?.images.find((one) => one.target === target)?.identity;
  // A plan that was stored before images were noted, or a disk whose image its host could not name.
  if (!seen || !image) return `Which image of ${target} was accepted is not known`;
  if (seen.hostId !== hostId) return `The image of ${target} was accepted on another host than the VM is on now`;
  const field = differingField(image, identity, true);
  if (field === null) return null;
  const words = field === "path" ? [image.path, identity.path] : [image[field], identity[field]];
  return `The image of ${target} is not the one that was accepted (${field} was ${words[0]}, is ${words[1]})`;
}
