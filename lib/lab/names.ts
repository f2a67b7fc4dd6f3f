/** Names of hosts and VMs become hostnames and file names. */
export function assertName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(name))
    throw new Error(`"${name}" is no name for a host or VM of the lab: letters, digits, _ . - and at most 63 of them.`);
}
