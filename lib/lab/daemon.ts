import { spawn } from "node:child_process";
import { chownSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isAlive, MARK, type ProcessRef, refOf } from "./processes.ts";
import type { HostState, LabState } from "./state.ts";
import { type Account, findTool, run, until } from "./tools.ts";

/** Folders of one host. Short names: the path of a unix socket below them holds 107 bytes. */
export function hostFolders(dir: string, host: string) {
  const home = join(dir, "h", host);
  return {
    home,
    run: join(home, "run"),
    config: join(home, "cfg"),
    cache: join(home, "cache"),
    data: join(home, "data"),
    log: join(home, "libvirtd.log"),
    socket: join(home, "run", "libvirt", "libvirt-sock"),
    pidFile: join(home, "run", "libvirt", "libvirtd.pid"),
  };
}

/** Makes the folders and the configuration that turn a session daemon into a host of its own. */
export function prepareHost(dir: string, host: HostState, account: Account | null): void {
  const folders = hostFolders(dir, host.name);
  for (const folder of [folders.home, folders.run, join(folders.config, "libvirt"), folders.cache, folders.data])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Its own host UUID: libvirt refuses to migrate to "the same host".
  writeFileSync(join(folders.config, "libvirt", "libvirtd.conf"), `host_uuid = "${host.uuid}"\n`);
  writeFileSync(
    join(folders.config, "libvirt", "qemu.conf"),
    'stdio_handler = "file"\n', // no virtlogd beside us
  );
  if (account === null) return;
  const { home, run: runDir, config, cache, data } = folders;
  for (const path of [home, runDir, config, cache, data, join(config, "libvirt")])
    chownSync(path, account.uid, account.gid);
  for (const file of ["libvirtd.conf", "qemu.conf"]) chownSync(join(config, "libvirt", file), account.uid, account.gid);
}

/** What a host's processes see of the world; nothing of the caller's own environment but the search path. */
export function hostEnvironment(dir: string, host: string, token: string): NodeJS.ProcessEnv {
  const folders = hostFolders(dir, host);
  return {
    NODE_ENV: process.env.NODE_ENV,
    PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin`,
    HOME: folders.home,
    XDG_RUNTIME_DIR: folders.run,
    XDG_CONFIG_HOME: folders.config,
    XDG_CACHE_HOME: folders.cache,
    XDG_DATA_HOME: folders.data,
    [MARK]: token,
  };
}

/**
 * How a host gets a hostname of its own, without which libvirt refuses to migrate "to the same host":
 * `uts` – a UTS namespace (root with CAP_SYS_ADMIN); `user` – a user namespace around it, in which an ordinary user may
 * set a hostname and keeps the own uid; `none` – this machine allows neither (a plain container, Ubuntu's AppArmor
 * rule): hosts share the machine's hostname, everything but live migration works.
 */
export type Isolation = "uts" | "user" | "none";

const NAMESPACES: Record<Isolation, string[]> = {
  uts: ["unshare", "--uts"],
  user: ["unshare", "--user", "--map-current-user", "--keep-caps", "--uts"],
  none: [],
};

/** The best that this machine allows, found by trying. */
export async function findIsolation(account: Account | null): Promise<Isolation> {
  const isolation = account === null ? "user" : "uts";
  const [unshare = "", ...args] = NAMESPACES[isolation];
  return run(unshare, [...args, "hostname", "lab-probe"]).then(
    () => isolation,
    () => "none",
  );
}

function daemonCommand(host: string, account: Account | null, isolation: Isolation): string[] {
  const [libvirtd, setpriv] = [findTool("libvirtd"), findTool("setpriv")];
  if (libvirtd === null || setpriv === null)
    throw new Error("libvirtd or setpriv is not installed, see missingTools()");
  const drop =
    account === null
      ? ["--ambient-caps", "-all", "--inh-caps", "-all"]
      : [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups"];
  const enter = fileURLToPath(new URL("./enter-host.pl", import.meta.url));
  const hostname = isolation === "none" ? "-" : host;
  return [...NAMESPACES[isolation], "perl", enter, hostname, setpriv, ...drop, libvirtd, "-t", "0"];
}

/** Starts a host's libvirtd under its reaper, in a process group of their own, and waits until it answers. */
export async function startDaemon(dir: string, host: string, state: LabState): Promise<ProcessRef> {
  const folders = hostFolders(dir, host);
  for (const stale of [folders.socket, folders.pidFile]) rmSync(stale, { force: true });
  const log = openSync(folders.log, "a");
  const [tool = "", ...args] = daemonCommand(host, state.account, state.isolation);
  const child = spawn(tool, args, {
    env: hostEnvironment(dir, host, state.token),
    stdio: ["ignore", log, log],
    detached: true, // Ctrl-C in the terminal must not reach it before we have stopped the VMs
  });
  child.unref();
  closeSync(log);
  const started = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => resolve(child.pid ?? 0));
  });
  const reaper = refOf(started);
  if (reaper === null) throw new Error(`libvirtd of ${host} ended at once: ${tail(folders.log)}`);
  await until(`libvirtd of ${host} to answer`, 30_000, async () => {
    if (!isAlive(reaper)) throw new Error(`libvirtd of ${host} ended: ${tail(folders.log)}`);
    return isConnectable(folders.socket);
  });
  const daemon = refOf(Number(readFileSync(folders.pidFile, "utf8")));
  if (daemon === null) throw new Error(`libvirtd of ${host} ended: ${tail(folders.log)}`);
  return daemon;
}

export function uriOf(socket: string): string {
  return `qemu+unix:///session?socket=${socket}`;
}

/** Whether a libvirt answers on this socket within 2 s (a stopped daemon accepts and stays silent). */
export async function isConnectable(socket: string): Promise<boolean> {
  try {
    await run("virsh", ["-c", uriOf(socket), "uri"], { timeoutMs: 2_000 });
    return true;
  } catch {
    return false;
  }
}

function tail(path: string): string {
  return readFileSync(path, "utf8").split("\n").slice(-12).join("\n");
}
