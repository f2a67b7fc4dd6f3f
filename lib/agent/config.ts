/** The agent's configuration file: fixed keys, checked before anything starts. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { isAbsolute } from "node:path";
import { z } from "zod";
import { sha256Hex } from "#contract/common.ts";
import { nearestWord } from "./nearest.ts";

export type Listen = { kind: "tcp"; host: string; port: number } | { kind: "unix"; path: string };

const absolutePath = z.string().max(4096).refine(isAbsolute, "must be an absolute path");

/** `host:port`, `[v6]:port` or `unix:/path`; port 0 takes a free one. */
export function parseListen(value: string): Listen | null {
  if (value.startsWith("unix:")) {
    const path = value.slice("unix:".length);
    // sun_path holds 108 bytes with its end.
    return isAbsolute(path) && Buffer.byteLength(path) < 108 ? { kind: "unix", path } : null;
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? null : { kind: "tcp", host, port };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

const configSchema = z
  .strictObject({
    name: z.string().min(1).max(255).default(hostname()),
    listen: z
      .string()
      .default("127.0.0.1:7411")
      .transform((value, ctx): Listen => {
        const listen = parseListen(value);
        if (listen !== null) return listen;
        ctx.addIssue({ code: "custom", message: "must be host:port or unix:/absolute/path" });
        return z.NEVER;
      }),
    libvirtUri: z.string().min(1).max(4096).default("qemu:///system"),
    tokenSha256: z.array(sha256Hex).max(100).default([]),
    /** Where the agent keeps its own certificate and the tokens of engines that were paired; null: it cannot be paired. */
    stateDir: absolutePath.nullable().default(null),
    tls: z.strictObject({ cert: absolutePath, key: absolutePath }).nullable().default(null),
    repositories: z.array(absolutePath).max(100).default([]),
    qmp: z.enum(["allow", "forbid"]).default("allow"),
  })
  .superRefine((config, ctx) => {
    const speaksTls = config.tls !== null || config.stateDir !== null;
    if (config.listen.kind === "tcp" && !isLoopback(config.listen.host) && !speaksTls) {
      const message = `${config.listen.host} is not a loopback address: tls with cert and key is required, or a stateDir for a certificate that the agent makes`;
      ctx.addIssue({ code: "custom", path: ["tls"], message });
    }
    if (config.tokenSha256.length === 0 && config.stateDir === null) {
      const message = "needs at least one token's SHA-256, or a stateDir for the tokens of engines that are paired";
      ctx.addIssue({ code: "custom", path: ["tokenSha256"], message });
    }
  });
export type AgentConfig = z.infer<typeof configSchema>;

const KEYS: Record<string, readonly string[]> = { "": Object.keys(configSchema.shape), tls: ["cert", "key"] };

/** Every fault of the configuration, one sentence each. */
export class ConfigError extends Error {
  readonly faults: string[];
  constructor(faults: string[]) {
    super(faults.join("\n"));
    this.name = "ConfigError";
    this.faults = faults;
  }
}

/** Checks a parsed file. @throws ConfigError naming every fault; an unknown key with the nearest known one */
export function parseConfig(value: unknown): AgentConfig {
  const result = configSchema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.flatMap((issue) => {
    const at = issue.path.join(".");
    if (issue.code !== "unrecognized_keys") return [`${at === "" ? "the file" : at}: ${issue.message}`];
    return issue.keys.map((key) => {
      const full = at === "" ? key : `${at}.${key}`;
      return `unknown key "${full}", did you mean "${nearestWord(key, KEYS[at] ?? [])}"?`;
    });
  });
  throw new ConfigError(faults);
}

/** Reads and checks a configuration file. @throws ConfigError */
export function readConfig(path: string): AgentConfig {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (thrown) {
    throw new ConfigError([`${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`]);
  }
  return parseConfig(value);
}
