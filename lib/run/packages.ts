/**
 * What the distribution must bring, and how it gets here: as root it is installed, otherwise the one line to run is
 * told. Debian 12 and Ubuntu name these packages alike.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

type Need = { what: string; packages: string[]; present: () => boolean };

/** True when a program of that name is on the search path (or in sbin, which ordinary users often lack). */
function hasProgram(name: string): boolean {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const program = (name: string, ...packages: string[]): Need => ({
  what: name,
  packages,
  present: () => hasProgram(name),
});

/** Real hosts on this machine: libvirt's daemon and client library, QEMU, its image and NBD tools. */
export const HOST_NEEDS: Need[] = [
  program("libvirtd", "libvirt-daemon", "libvirt-daemon-driver-qemu"),
  program("virsh", "libvirt-clients"),
  program("qemu-system-x86_64", "qemu-system-x86"),
  program("qemu-img", "qemu-utils"),
  program("nbdinfo", "libnbd-bin"),
  program("unshare", "util-linux"),
  program("openssl", "openssl"),
];

/** The foreign tool whose checkpoints the lab makes. */
export const FOREIGN_TOOL_NEEDS: Need[] = [program("virtnbdbackup", "virtnbdbackup")];

export const BROWSER_NEEDS: Need[] = [program("chromium", "chromium")];

/** What the benches measure against. */
export const BENCH_NEEDS: Need[] = [
  {
    what: "python3-libvirt",
    packages: ["python3-libvirt"],
    present: () => spawnSync("/usr/bin/python3", ["-c", "import libvirt"], { stdio: "ignore" }).status === 0,
  },
];

/**
 * Makes sure that everything needed is here. Answers with what is still missing (empty: all is well) and never
 * throws for a missing package: the caller decides whether it can go on without.
 */
export function ensurePackages(needs: Need[], say: (line: string) => void = console.error): Need[] {
  const missing = needs.filter((need) => !need.present());
  if (missing.length === 0) return [];
  const packages = [...new Set(missing.flatMap((need) => need.packages))];
  const install = `apt-get install --no-install-recommends ${packages.join(" ")}`;
  const names = missing.map((need) => need.what).join(", ");
  if (!existsSync("/usr/bin/apt-get")) {
    say(`driftline: missing: ${names}. Install them with your distribution's package manager.`);
    return missing;
  }
  if (process.getuid?.() !== 0) {
    say(`driftline: missing: ${names}. Run: sudo ${install}`);
    return missing;
  }
  say(`driftline: installing ${packages.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const quiet = ["-y", "-qq", "-o", "DPkg::Lock::Timeout=120"];
  try {
    execFileSync("apt-get", ["update", ...quiet], { env, stdio: ["ignore", "ignore", "inherit"] });
    execFileSync("apt-get", ["install", ...quiet, "--no-install-recommends", ...packages], {
      env,
      stdio: ["ignore", "ignore", "inherit"],
    });
  } catch (error) {
    say(`driftline: the distribution's packages could not be installed: ${(error as Error).message}`);
  }
  return needs.filter((need) => !need.present());
}
