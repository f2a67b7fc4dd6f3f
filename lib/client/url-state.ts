import { createLoader, type inferParserType, parseAsString, parseAsStringLiteral } from "nuqs/server";
import { AGREEMENTS, FINDING_KINDS, FRESHNESSES, NEXT_BACKUPS } from "#chain/model.ts";
import { JOB_STATE_NAMES } from "./job-states.ts";

export const FLEET_SORTS = [
  "name",
  "-name",
  "severity",
  "host",
  "observed",
  "-observed",
  "checkpoints",
  "-checkpoints",
] as const;

/** State of `/vms` in the address. `cursor` is where the list begins; absent: at its start. */
export const fleetParsers = {
  q: parseAsString.withDefault(""),
  host: parseAsString,
  agreement: parseAsStringLiteral(AGREEMENTS),
  nextBackup: parseAsStringLiteral(NEXT_BACKUPS),
  freshness: parseAsStringLiteral(FRESHNESSES),
  kind: parseAsStringLiteral(FINDING_KINDS),
  sort: parseAsStringLiteral(FLEET_SORTS).withDefault("severity"),
  cursor: parseAsString,
};
export const loadFleetState = createLoader(fleetParsers);
export type FleetState = inferParserType<typeof fleetParsers>;

export const CHAIN_VIEWS = ["map", "list", "matrix", "extents"] as const;
export type ChainViewName = (typeof CHAIN_VIEWS)[number];
export const OVERLAYS = ["both", "record", "host"] as const;
export type Overlay = (typeof OVERLAYS)[number];

/** State of a VM's page in the address. No `view`: map, or list for a long chain. */
export const chainParsers = {
  view: parseAsStringLiteral(CHAIN_VIEWS),
  overlay: parseAsStringLiteral(OVERLAYS).withDefault("both"),
  cp: parseAsString,
  disk: parseAsString,
  finding: parseAsString,
};

export const AUDIT_OUTCOMES = ["done", "unchanged", "refused", "failed"] as const;
/** State of `/audit` in the address. `from` and `to` are times in any form that a browser reads, UTC unless they say. */
export const auditParsers = {
  actor: parseAsString.withDefault(""),
  subject: parseAsString.withDefault(""),
  action: parseAsString.withDefault(""),
  outcome: parseAsStringLiteral(AUDIT_OUTCOMES),
  from: parseAsString.withDefault(""),
  to: parseAsString.withDefault(""),
};
export const loadAuditState = createLoader(auditParsers);
export type AuditState = inferParserType<typeof auditParsers>;

/** State of `/jobs` in the address. `vm` is a VM's id. */
export const jobsParsers = { vm: parseAsString, state: parseAsStringLiteral(JOB_STATE_NAMES) };
export const loadJobsState = createLoader(jobsParsers);

/** A path on this site to go to after sign-in; anything else (other origin, protocol, `//host`) becomes `/vms`. */
export function safeNext(next: string | null | undefined): string {
  if (!next?.startsWith("/") || next.startsWith("//") || /[\\\s]/.test(next)) return "/vms";
  const base = "http://site.invalid";
  const url = URL.parse(next, base);
  return url && url.origin === base ? `${url.pathname}${url.search}${url.hash}` : "/vms";
}
