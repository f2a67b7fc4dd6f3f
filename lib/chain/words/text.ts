/** Plain text for tickets and calls: the same finding gives the same text, without local times or colours. */
import type { Finding, Observation } from "../model.ts";
import { SEVERITY_LABELS } from "./axes.ts";
import { findingTitle } from "./findings.ts";
import { REMEDY_LABELS } from "./remedies.ts";

export type FindingTextContext = {
  vmName: string;
  vmId: string;
  hostName?: string | null;
  /** ISO 8601 UTC. */
  observedAt?: string | null;
  since?: string | null;
  url?: string | null;
};

const SOURCES: Readonly<Record<Observation["source"], string>> = { qmp: "QMP", image: "the image file" };

/** Where bitmaps were read, to be put behind a time. */
export const sourceWords = (source: Observation["source"] | null | undefined): string =>
  source ? ` from ${SOURCES[source]}` : "";

export function findingAsText(finding: Finding, ctx: FindingTextContext): string {
  const { evidence } = finding;
  const lines: (readonly [string, string | null | undefined])[] = [
    ["VM", `${ctx.vmName} (${ctx.vmId})`],
    ["Host", ctx.hostName],
    ["Finding", finding.reason === null ? finding.kind : `${finding.kind} (${finding.reason})`],
    ["Since", ctx.since],
    ["Observed", ctx.observedAt],
    ["Record", evidence.record],
    ["libvirt", evidence.metadata],
    ["Disk", evidence.bitmap],
    ["As read", evidence.observedAt ? `${evidence.observedAt}${sourceWords(evidence.source)}` : null],
    ["Owner", finding.owner === null ? null : `probably ${finding.owner}`],
    ["Meaning", finding.explanation],
    ["Consequence", finding.consequence],
    [
      "Remedy",
      finding.remedies.length === 0 ? "none" : finding.remedies.map((one) => REMEDY_LABELS[one].label).join(", "),
    ],
    ["Acknowledged", finding.acknowledged ? "yes" : null],
    ["Link", ctx.url],
  ];
  const head = `[${SEVERITY_LABELS[finding.severity].label}] ${findingTitle(finding)}`;
  const body = lines.flatMap(([label, text]) => (text ? [`${`${label}:`.padEnd(14)}${text}`] : []));
  return [head, ...body].join("\n");
}
