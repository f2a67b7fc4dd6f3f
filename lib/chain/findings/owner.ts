/** Naming habits of other managers of libvirt hosts. A guess, and always worded as one. */
const HABITS: readonly (readonly [RegExp, string])[] = [
  [/^virtnbdbackup\.\d+$/, "virtnbdbackup"],
  [/^qmpbackup-/, "qmpbackup"],
  [/^pbs-incremental-dirty-bitmap$/, "Proxmox Backup"],
  [/^one-\d+-\d+$/, "OpenNebula"],
  [/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?-\d{8}-?t?\d{6}z?$/i, "KubeVirt"],
  [/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, "oVirt"],
];

/** Likely owner of a checkpoint or bitmap by its name, or null. */
export function guessOwner(name: string): string | null {
  return HABITS.find(([habit]) => habit.test(name))?.[1] ?? null;
}
