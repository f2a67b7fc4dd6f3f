/** The words of remedies and of bitmaps: apart from those of the axes, which every screen needs. */
import type { BitmapState, Remedy } from "../model.ts";
import type { Label } from "./axes.ts";

export const BITMAP_STATE_LABELS: Readonly<Record<BitmapState, Label>> = {
  recording: { label: "Recording", letter: "R", hint: "Holds every write since its checkpoint." },
  busy: { label: "Busy", letter: "B", hint: "A job uses it now." },
  inconsistent: { label: "Inconsistent", letter: "X", hint: "Not closed cleanly; QEMU will not use it." },
  "not-recording": { label: "Not recording", letter: "O", hint: "Switched off; writes are missing in it." },
  "not-persistent": { label: "Not persistent", letter: "P", hint: "Vanishes when the VM stops." },
  gap: { label: "Gap", letter: "G", hint: "In a lower image, but not in every image above it." },
};

export const REMEDY_LABELS: Readonly<Record<Remedy, { label: string; hint: string }>> = {
  redefine: { label: "Redefine", hint: "Tell libvirt again what the record says. Changes no disk." },
  adopt: { label: "Adopt", hint: "Take it into the record and use it from now on." },
  remove: { label: "Remove checkpoint", hint: "Delete the checkpoint and its bitmaps." },
  heal: { label: "Heal", hint: "Remove the least that makes record, libvirt and disks agree." },
  "remove-bitmap": { label: "Remove bitmap", hint: "Delete the bitmap from the image." },
  acknowledge: { label: "Acknowledge", hint: "Accept it as it is; it stays listed." },
  "full-backup": { label: "Full backup", hint: "Start a new base." },
  retire: { label: "Retire disk", hint: "Stop expecting it. Its backups stay." },
  "repair-record": { label: "Repair links", hint: "Put the recorded parents right. Changes nothing on the host." },
  abort: { label: "Abort job", hint: "End the job on the host. Its checkpoint is not used." },
  close: { label: "Close backup", hint: "Record it as failed." },
  explain: { label: "Explain", hint: "Show the exact command to look at it." },
};
