import type { Host } from "#contract/engine.ts";

/** Names of the hosts behind which there is no libvirt. */
export const simulatedNames = ({ items }: { items: readonly Pick<Host, "name" | "kind">[] }): string[] =>
  items.filter(({ kind }) => kind === "simulated").map(({ name }) => name);
