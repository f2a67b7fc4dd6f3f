import type { SettingView } from "#contract/engine.ts";
import { type Config, isStated, POLICY_DEFAULTS } from "../config.ts";
import type { Context } from "../state.ts";

const TEXTS: Record<keyof typeof POLICY_DEFAULTS, { text: string; unit: string | null }> = {
  redefineOnStart: {
    text: "When a VM starts and libvirt has lost its checkpoints: redefine them at once (auto), or show it and ask (ask)",
    unit: null,
  },
  healOnStart: {
    text: "Whether what a heal would remove is removed by itself (auto) or by a person (ask); tier 3 always waits for a person",
    unit: null,
  },
  leastTier: { text: "Raises the tier of an intent's plans, and with it what must be confirmed", unit: null },
  observeEverySeconds: { text: "How often every VM of a host is read", unit: "seconds" },
  staleAfterSeconds: {
    text: "Age from which an observation is shown as stale and no verdict is given on it",
    unit: "seconds",
  },
  digestBackups: { text: "Read each finished backup back and keep the SHA-256 of its content", unit: null },
  giveUpAfterSeconds: {
    text: "How long a job waits for a host that does not answer, or for a lock, before it gives up",
    unit: "seconds",
  },
  jobLimitSeconds: {
    text: "How long a job may hold a VM before it counts as stuck and can be aborted",
    unit: "seconds",
  },
  leaseSeconds: {
    text: "After how long another process takes over a job whose process is gone",
    unit: "seconds",
  },
  keepObservationsDays: {
    text: "How long reads of a host are kept that show a state which is over (0: for ever)",
    unit: "days",
  },
  keepSamplesDays: { text: "How long dirty counts and image identities are kept (0: for ever)", unit: "days" },
  keepFindingsDays: { text: "How long findings are kept that have ended (0: for ever)", unit: "days" },
  keepJobsDays: {
    text: "How long jobs are kept that have ended, with their steps (0: for ever); plans, backups and the audit are never removed",
    unit: "days",
  },
};

/** What is set: the default, what holds, and where that comes from. Secrets are no settings and are not here. */
export function getSettings({ engine }: Context): { items: SettingView[] } {
  const keys = Object.keys(POLICY_DEFAULTS) as (keyof typeof POLICY_DEFAULTS)[];
  return {
    items: keys.map((key) => ({
      key: `policy.${key}`,
      ...TEXTS[key],
      default: toValue(POLICY_DEFAULTS[key]),
      value: toValue(engine.config.policy[key]),
      source: isStated(engine.config, `policy.${key}`) ? ("configuration" as const) : ("default" as const),
    })),
  };
}

/** `heal 3, prune 2` for a setting per intent; null when there is none. */
function toValue(value: Config["policy"][keyof Config["policy"]]): SettingView["value"] {
  if (typeof value !== "object") return value;
  return (
    Object.entries(value)
      .map(([intent, tier]) => `${intent} ${tier}`)
      .join(", ") || null
  );
}
