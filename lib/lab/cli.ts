import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { vmState } from "./context.ts";
import { attachLab, type Lab, openLab, removeLab } from "./lab.ts";
import { takeLock } from "./lock.ts";
import { isAlive } from "./processes.ts";
import { applyScenario, findScenario, prepareScenario, SCENARIOS, undoScenario } from "./scenarios/index.ts";
import { hasState } from "./state.ts";

const USAGE = `lib/lab/cli.ts <command> [--dir DIR]
  up [--hosts N]              start N hosts (2) and leave them up
  down                        end everything that the lab made
  status                      hosts and VMs of the lab
  list                        names of its VMs
  scenarios                   what can be made
  apply SCENARIO [--vm NAME]  make a drift; on a new VM when NAME does not exist (default: the scenario's name)
  undo SCENARIO [--vm NAME]   bring that VM back to its base
The directory is ${defaultDir()} unless --dir or DRIFTLINE_LAB_DIR names another.`;

/** For a manager that may watch this lab: it reads a VM soon after the event of a block job. */
const LOOK_MS = 3_000;
const HOST_NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];

function defaultDir(): string {
  return process.env.DRIFTLINE_LAB_DIR ?? join(tmpdir(), `driftline-lab-${process.getuid?.() ?? 0}`);
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { hosts: { type: "string" }, dir: { type: "string" }, vm: { type: "string" } },
  });
  const [command, argument] = positionals;
  const dir = values.dir ?? defaultDir();
  switch (command) {
    case "up":
      return up(dir, Number(values.hosts ?? 2));
    case "down":
      return down(dir);
    case "status":
      return status(attachLab(dir));
    case "list":
      for (const vm of attachLab(dir).vms) print(vm.name);
      return;
    case "scenarios":
      for (const { name, title } of SCENARIOS) print(`${name.padEnd(26)}${title}`);
      return;
    case "apply":
      return apply(attachLab(dir), argument ?? "", values.vm);
    case "undo":
      return undo(attachLab(dir), argument ?? "", values.vm);
    default:
      throw new Error(USAGE);
  }
}

async function up(dir: string, count: number): Promise<void> {
  if (!(count >= 1 && count <= HOST_NAMES.length)) throw new Error(`--hosts takes 1 to ${HOST_NAMES.length}`);
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const lab = await openLab({ dir, hosts: HOST_NAMES.slice(0, count) });
  await lab.detach();
  for (const host of lab.hosts) print(`${host.name}  ${host.uri}`);
}

/** Only a lab that nobody holds: the demo takes its own down. */
async function down(dir: string): Promise<void> {
  if (!hasState(dir)) return print(`There is no lab in ${dir}.`);
  const lock = await takeLock(join(dir, "lab.lock"));
  await removeLab(dir);
  await lock.release();
}

async function status(lab: Lab): Promise<void> {
  if (!lab.canMigrate) print("No live migration: this machine gives the hosts no hostnames of their own.");
  for (const host of lab.context.state().hosts) {
    const isUp = host.daemon !== null && isAlive(host.daemon);
    const pid = host.daemon?.pid ?? "-";
    print(`${host.name}  libvirtd ${isUp ? `up, pid ${pid}` : "down"}  ${lab.host(host.name).uri}`);
  }
  for (const vm of lab.vms) {
    const { applied } = vmState(lab.context, vm.id);
    const power = await vm.power().catch(() => "unknown");
    print(`${vm.name}  ${vm.id}  on ${vm.host}, ${power}${applied === null ? "" : `, carries ${applied}`}`);
  }
}

async function apply(lab: Lab, name: string, vmName: string | undefined): Promise<void> {
  const scenario = findScenario(name);
  const known = lab.vms.find((vm) => vm.name === (vmName ?? scenario.name));
  const { vm, record } =
    known === undefined
      ? await prepareScenario(lab, scenario, { name: vmName })
      : await prepareScenario(lab, scenario, { vm: known });
  await applyScenario(lab, scenario, vm);
  const { title, trigger, expected, cannotTell } = scenario;
  print(
    JSON.stringify({ vm: vm.name, id: vm.id, host: vm.host, title, trigger, expected, cannotTell, record }, null, 2),
  );
}

async function undo(lab: Lab, name: string, vmName: string | undefined): Promise<void> {
  const scenario = findScenario(name);
  const carriers = lab.context.state().vms.filter((vm) => vm.applied === scenario.name);
  const carrier = vmName === undefined ? carriers[0] : carriers.find((vm) => vm.name === vmName);
  if (carrier === undefined) throw new Error(`No VM carries ${scenario.name}.`);
  await undoScenario(lab, lab.vm(carrier.id), () => delay(LOOK_MS));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().catch((cause: Error) => {
  process.stderr.write(`${cause.message}\n`);
  process.exitCode = 1;
});
