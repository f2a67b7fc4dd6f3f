/** Makes a support bundle part by part: what could not be had is said in it and does not keep the rest from being had. */
import type { Bundle } from "#contract/engine.ts";
import { actorName, hasRole } from "../actor.ts";
import { toProblem } from "../problems.ts";
import type { Context } from "../state.ts";
import { VERSION } from "../version.ts";
import { redactPeople } from "./redact.ts";

/** Of a list at most so many rows, the newest. */
export const BUNDLE_ROWS = 200;

const REDACTION = [
  {
    what: "agents' tokens, API keys, passwords, sessions",
    why: "they are secrets; the bundle is made of tables that hold none of them",
  },
  {
    what: "the names of people below operator",
    why: "a bundle leaves the house; `person-1` is one person all through it",
  },
];

export type BundleDraft = {
  parts: Record<string, unknown>;
  /** Reads one part. One that fails is listed as not collected. */
  collect: (name: string, read: () => Promise<unknown>) => Promise<void>;
  miss: (what: string, why: string) => void;
  close: () => Bundle;
};

export function draftBundle({ actor }: Context, subject: string): BundleDraft {
  const parts: Record<string, unknown> = {};
  const manifest: Bundle["manifest"]["parts"] = [];
  const notCollected: Bundle["manifest"]["notCollected"] = [];
  const miss: BundleDraft["miss"] = (what, why) => void notCollected.push({ what, why });
  return {
    parts,
    miss,
    collect: async (name, read) => {
      try {
        const value = await read();
        parts[name] = value;
        const list = (value as { items?: unknown[]; nextCursor?: string | null }) ?? {};
        const complete = (list.nextCursor ?? null) === null;
        manifest.push({ name, items: Array.isArray(list.items) ? list.items.length : 1, complete });
        if (!complete) miss(`${name}: all but the newest ${BUNDLE_ROWS}`, "the bundle is bounded");
      } catch (error) {
        miss(name, toProblem(error).message);
      }
    },
    close: () => {
      miss("logs of agent, libvirt and QEMU", "they stay on the host; this version does not fetch them");
      return {
        manifest: {
          subject,
          generatedAt: new Date().toISOString(),
          generatedBy: hasRole(actor, "operator") ? actorName(actor) : actor.role,
          version: VERSION,
          parts: manifest,
          redaction: REDACTION,
          notCollected,
        },
        parts: redactPeople(parts),
      };
    },
  };
}
