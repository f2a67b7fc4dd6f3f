/** DRIFTLINE_CONFIG: what an installation is told from outside. Parsed once, at start; a mistake stops the start. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { PLAN_INTENTS } from "#chain/plan/model.ts";
import { checkAgentUrl } from "#contract/agent-url.ts";
import { ROLES } from "#contract/engine.ts";
import { newPassword } from "#contract/engine-people.ts";

const hostConfig = z.strictObject({
  name: z.string().min(1).max(200),
  url: z.string().superRefine((url, context) => {
    const wrong = checkAgentUrl(url);
    if (wrong) context.addIssue({ code: "custom", message: wrong });
  }),
  token: z.string().min(1),
  /** Certificate authority as PEM text, or the path of a PEM file. */
  ca: z.string().optional(),
});

/** An identity provider, found by discovery. Nobody of a group that has no role here comes in. */
const oidcConfig = z.strictObject({
  /** What the button says. */
  name: z.string().min(1).max(100),
  issuer: z.string().superRefine((url, context) => {
    const parsed = URL.parse(url);
    const isSafe =
      parsed?.protocol === "https:" ||
      (parsed?.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(parsed.hostname));
    if (!isSafe) context.addIssue({ code: "custom", message: "an https address (http on this machine only)" });
  }),
  clientId: z.string().min(1),
  clientSecret: z.string().min(1),
  groupClaim: z.string().min(1).default("groups"),
  scopes: z
    .array(z.string().min(1))
    .refine((scopes) => scopes.includes("openid"), '"openid" must be among them')
    .default(["openid", "email", "profile"]),
  /** Group → role. */
  roles: z
    .record(z.string().min(1), z.enum(ROLES))
    .refine((roles) => Object.keys(roles).length > 0, "names no group, so nobody could come in"),
});

const keptDays = z.number().int().min(0).max(36_500);

const configSchema = z.strictObject({
  hosts: z.array(hostConfig).default([]),
  admin: z.strictObject({ email: z.email(), password: newPassword }).optional(),
  apiKeys: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(200),
        role: z.enum(ROLES),
        sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 lower-case hex digits: the SHA-256 of the key"),
      }),
    )
    .default([]),
  oidc: oidcConfig.optional(),
  policy: z
    .strictObject({
      /** A VM that runs and whose checkpoints libvirt has lost is told them again by itself, or when a person asks. */
      redefineOnStart: z.enum(["auto", "ask"]).default("auto"),
      /** Whether what a heal would remove is removed by itself. A plan of tier 3 waits for a person all the same. */
      healOnStart: z.enum(["auto", "ask"]).default("ask"),
      /** Raises the tier of an intent's plans; it cannot lower one. */
      leastTier: z
        .partialRecord(z.enum(PLAN_INTENTS), z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)]))
        .prefault({}),
      observeEverySeconds: z.number().int().min(1).max(86_400).default(60),
      staleAfterSeconds: z.number().int().min(2).max(604_800).default(300),
      /** Read each finished backup back and keep the SHA-256 of its content. */
      digestBackups: z.boolean().default(true),
      /** How long a job waits for a host that does not answer, or for a lock, before it gives up. */
      giveUpAfterSeconds: z.number().int().min(5).max(86_400).default(300),
      /** How long a job may hold a VM before it counts as stuck. */
      jobLimitSeconds: z.number().int().min(1).max(604_800).default(21_600),
      /** A job whose process is gone is taken over by another after this. */
      leaseSeconds: z.number().int().min(2).max(120).default(15),
      /** For how long what is over is kept; 0: for ever. What a judgement or a chain still rests on stays all the same. */
      keepObservationsDays: keptDays.default(90),
      keepSamplesDays: keptDays.default(180),
      keepFindingsDays: keptDays.default(365),
      keepJobsDays: keptDays.default(365),
    })
    .prefault({}),
});
export const POLICY_DEFAULTS = configSchema.shape.policy.parse({});
export type Config = z.infer<typeof configSchema>;
export type HostConfig = Config["hosts"][number];

/** Keys that the schema takes at a path, for the hint in the error. */
function keysAt(path: readonly PropertyKey[]): string[] {
  const at: Record<string, z.ZodObject> = { "": configSchema, hosts: hostConfig, oidc: oidcConfig };
  const where = path.filter((part) => typeof part === "string").join(".");
  if (where === "admin") return ["email", "password"];
  if (where === "apiKeys") return ["name", "role", "sha256"];
  if (where === "policy") return Object.keys(configSchema.shape.policy.unwrap().shape);
  if (where === "policy.leastTier") return [...PLAN_INTENTS];
  return Object.keys(at[where]?.shape ?? {});
}

/** Edit distance, small strings. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The known key that was most likely meant. */
export function nearestKey(unknown: string, known: readonly string[]): string | null {
  const ranked = known
    .map((key) => ({ key, far: distance(unknown.toLowerCase(), key.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  return ranked[0]?.key ?? null;
}

const fieldOf = (path: readonly PropertyKey[]): string =>
  path.map((part, i) => (typeof part === "number" ? `[${part}]` : `${i > 0 ? "." : ""}${String(part)}`)).join("");

/** Checks a configuration. Throws one error that names every mistake; it never repeats a value, which may be secret. */
export function parseConfig(value: unknown): Config {
  const parsed = configSchema.safeParse(value);
  const mistakes = parsed.success ? findDuplicates(parsed.data) : parsed.error.issues.flatMap(describe);
  if (!parsed.success || mistakes.length > 0) throw new Error(`DRIFTLINE_CONFIG:\n- ${mistakes.join("\n- ")}`);
  return Object.defineProperty(parsed.data, STATED, { value: statedKeys(value) });
}

/** On the value itself: the server's bundles each have a copy of this module, and what one of them keeps no other sees. */
const STATED = Symbol.for("driftline.stated");

/** Keys of the policy that somebody wrote, as against those that have their default. */
function statedKeys(value: unknown): ReadonlySet<string> {
  const policy = (value as { policy?: object } | null)?.policy ?? {};
  return new Set(Object.keys(policy).map((key) => `policy.${key}`));
}

/** Whether a setting comes from the configuration, also where it says the same as the default. */
export const isStated = (config: Config & { [STATED]?: ReadonlySet<string> }, key: string): boolean =>
  config[STATED]?.has(key) ?? false;

function describe(issue: z.core.$ZodIssue): string[] {
  if (issue.code !== "unrecognized_keys") return [`${fieldOf(issue.path) || "the file"}: ${issue.message}`];
  return issue.keys.map((key) => {
    const near = nearestKey(key, keysAt(issue.path));
    const where = fieldOf([...issue.path, key]);
    return near ? `${where}: there is no such key; "${near}" is the nearest one` : `${where}: there is no such key`;
  });
}

function findDuplicates(config: Config): string[] {
  const twice = (values: string[]) => [...new Set(values.filter((value, i) => values.indexOf(value) !== i))];
  const { observeEverySeconds, staleAfterSeconds } = config.policy;
  return [
    ...twice(config.hosts.map((host) => host.name)).map((name) => `hosts: the name "${name}" stands twice`),
    ...twice(config.hosts.map((host) => host.url)).map((url) => `hosts: the address ${url} stands twice`),
    ...twice(config.apiKeys.map((key) => key.name)).map((name) => `apiKeys: the name "${name}" stands twice`),
    ...twice(config.apiKeys.map((key) => key.sha256)).map(
      (hash) => `apiKeys: the hash ${hash.slice(0, 8)}… stands twice`,
    ),
    ...(staleAfterSeconds <= observeEverySeconds
      ? ["policy.staleAfterSeconds: must be more than observeEverySeconds, else every read is stale before the next"]
      : []),
  ];
}

/** Reads the file that DRIFTLINE_CONFIG names; without one, an empty configuration. CA paths become their text. */
export async function loadConfig(file: string | undefined): Promise<Config> {
  if (!file) return parseConfig({});
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    // A parse error's message quotes the text, and with it perhaps a token.
    const why = cause instanceof SyntaxError ? "it is not valid JSON" : (cause as Error).message;
    throw new Error(`DRIFTLINE_CONFIG (${file}) cannot be read: ${why}`);
  }
  const config = parseConfig(value);
  for (const host of config.hosts) {
    if (host.ca && !host.ca.includes("-----BEGIN")) host.ca = await readFile(host.ca, "utf8");
  }
  return config;
}
