/**
 * The changing calls that a host really gets, from witnesses that are not ours: libvirtd's own log of its public calls,
 * and a `qemu-img` that notes what it is asked for.
 */
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { hostFolders } from "#lab/daemon.ts";
import type { Lab } from "#lab/lab.ts";
import { findTool } from "#lab/tools.ts";

/** The calls in libvirt's words, those of qemu-img apart: of two logs nobody knows the common order. */
export type HostCalls = { libvirt: string[]; qemuImg: string[] };

const FLAGS = {
  create: { 1: "REDEFINE", 5: "REDEFINE | REDEFINE_VALIDATE" },
  delete: { 0: "0", 2: "METADATA_ONLY" },
  begin: { 1: "REUSE_EXTERNAL" },
} as Record<string, Record<number, string>>;
const flagsOf = (call: string, hex: string): string => FLAGS[call]?.[Number.parseInt(hex, 16)] ?? `0x${hex}`;

/** Everything by which a checkpoint, a bitmap or a job of a domain is changed. */
const LIBVIRT_CALLS =
  /\b(virDomainCheckpointCreateXML|virDomainCheckpointLookupByName|virDomainCheckpointDelete|virDomainBackupBegin|virDomainAbortJob\w*|virDomainQemuMonitorCommand\w*):\d+ : ([\s\S]*?)(?=\n\d{4}-\d\d-\d\d |$)/g;

function readLibvirt(log: string): string[] {
  const calls: string[] = [];
  let looked = "";
  for (const [, name = "", words = ""] of log.matchAll(LIBVIRT_CALLS)) {
    const flags = /flags=0x([0-9a-f]+)/.exec(words)?.[1] ?? "0";
    // A deletion is told by its handle alone, which is looked up just before.
    if (name === "virDomainCheckpointLookupByName") looked = /, name=([^,]+), flags=/.exec(words)?.[1] ?? "";
    else if (name === "virDomainCheckpointCreateXML")
      calls.push(`${name}(${flagsOf("create", flags)}) ${/<name>([^<]+)<\/name>/.exec(words)?.[1]}`);
    else if (name === "virDomainCheckpointDelete") calls.push(`${name}(${flagsOf("delete", flags)}) ${looked}`);
    else if (name === "virDomainBackupBegin") calls.push(`${name}(${flagsOf("begin", flags)})`);
    else if (name.startsWith("virDomainAbortJob")) calls.push("virDomainAbortJob");
    else if (!/cmd=\{"execute":"(query-[a-z-]+|qom-list|qom-get)"/.test(words)) calls.push(`${name} ${words}`);
  }
  return calls;
}

/** What only looks: an observation, the chain of a file before it is checked, the tool's version. */
const LOOKS = /^(info|--version|--help)\b/;

/** Whatever else it was asked for, with every flag. */
const readQemuImg = (log: string): string[] =>
  log
    .split("\n")
    .filter((line) => line !== "" && !LOOKS.test(line))
    .map((line) => `qemu-img ${line}`);

/**
 * The files of a backup are named when it begins: in a plan they stand in angle brackets, and a file is made through the
 * agent's handle. Only these, and nothing else of a call, are taken as equal. Each image of a chain has a check of its own.
 */
function withoutFiles(calls: readonly string[]): string[] {
  const bare = calls.map((call) =>
    /^qemu-img (create|check|convert) /.test(call)
      ? call
          .replace(/; .*$/, "")
          .replace(/<[^>]+>/g, "<file>")
          .replace(/ -b (?!<)\S+/, " -b <file>")
          .replace(/ \/\S+/g, " <file>")
      : call,
  );
  return bare.filter((call, index) => !call.startsWith("qemu-img check") || call !== bare[index - 1]);
}

/** As one compares them. */
export const comparable = ({ libvirt, qemuImg }: HostCalls): HostCalls => ({ libvirt, qemuImg: withoutFiles(qemuImg) });

/** The same calls of a plan's steps. */
export function callsOfSteps(steps: readonly { verb: string; call: string }[]): HostCalls {
  const ofHost = steps.filter(({ verb }) => verb.startsWith("host.")).map(({ call }) => call);
  const libvirt = ofHost.flatMap((call) => {
    const [, name = "", subject = ""] = /^(virDomain\w+\([^)]*\)|virDomainAbortJob)(?: ([^\s:]+))?/.exec(call) ?? [];
    if (name === "") return [];
    return [name.startsWith("virDomainCheckpoint") ? `${name} ${subject}` : name];
  });
  return { libvirt, qemuImg: ofHost.filter((call) => call.startsWith("qemu-img")) };
}

/** Before the agents start: from then on each notes what it asks `qemu-img` for. Returns the note and how to undo it. */
export function noteQemuImg(folder: string): { log: string; undo: () => void } {
  const real = findTool("qemu-img");
  if (real === null) throw new Error("qemu-img is not installed");
  const [bin, log] = [join(folder, "bin"), join(folder, "qemu-img.log")];
  mkdirSync(bin, { recursive: true });
  writeFileSync(log, "");
  chmodSync(log, 0o666);
  writeFileSync(join(bin, "qemu-img"), `#!/bin/sh\nprintf '%s\\n' "$*" >> '${log}'\nexec '${real}' "$@"\n`);
  chmodSync(join(bin, "qemu-img"), 0o755);
  const { PATH: path } = process.env;
  process.env.PATH = `${bin}:${path}`;
  return {
    log,
    undo: () => {
      process.env.PATH = path;
    },
  };
}

/** Has libvirtd log its public calls; it is restarted for that, so no VM may run there yet. */
export async function logLibvirt(lab: Lab, host: string): Promise<string> {
  const folders = hostFolders(lab.dir, host);
  const log = join(folders.run, "calls.log");
  const lines = `log_filters = "1:libvirt.domain 1:libvirt-qemu"\nlog_outputs = "1:file:${log}"\n`;
  await appendFile(join(folders.config, "libvirt", "libvirtd.conf"), lines);
  await lab.host(host).killDaemon();
  await lab.host(host).startDaemon();
  return log;
}

/** The calls made while `work` runs. */
export async function recordCalls<T>(logs: { libvirt: string; qemuImg: string }, work: () => Promise<T>) {
  const from = { libvirt: statSync(logs.libvirt).size, qemuImg: statSync(logs.qemuImg).size };
  const result = await work();
  const since = (log: string, offset: number) => readFileSync(log).subarray(offset).toString();
  const made: HostCalls = {
    libvirt: readLibvirt(since(logs.libvirt, from.libvirt)),
    qemuImg: readQemuImg(since(logs.qemuImg, from.qemuImg)),
  };
  return { result, made };
}
