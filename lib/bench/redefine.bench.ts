/**
 * Bulk redefine of one real VM through the agent's HTTP API, every bitmap of every disk checked, against three loops:
 * python3-libvirt without validation, python3-libvirt with libvirt's own validation, and virsh, a process each. Then four
 * VMs at once against one after the other, beside the same by bare loops. `npm run bench:redefine [checkpoints] [rounds]`.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { AgentProcess } from "#agent/testing/agent-process.ts";
import { redefineResultSchema } from "#contract/agent-operations.ts";
import type { LabHost } from "#lab/host.ts";
import { openLab } from "#lab/lab.ts";
import type { LabVm } from "#lab/vm.ts";
import { figure, quantile, timed } from "./table.ts";

const MOST_OF_BARE = 1.05;
const LEAST_OF_VALIDATED = 1.3;
const LEAST_OF_SERIAL = 1.7;
const DISKS = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 64 }));
const run = promisify(execFile);

/** argv: uri, vm id, flags of the creation, file with the definitions. Prints the milliseconds of the loop alone. */
const LOOP = `
import json,libvirt,sys,time
d=libvirt.open(sys.argv[1]).lookupByUUIDString(sys.argv[2])
flags=int(sys.argv[3])
xmls=json.load(open(sys.argv[4]))
t=time.perf_counter()
for x in xmls: d.checkpointCreateXML(x,flags)
print((time.perf_counter()-t)*1e3)
assert len(d.listAllCheckpoints())==len(xmls)
`;
/** Every definition goes, the bitmaps stay. */
const FORGET = `
import libvirt,sys
d=libvirt.open(sys.argv[1]).lookupByUUIDString(sys.argv[2])
for c in reversed(d.listAllCheckpoints(2)): c.delete(2)
`;
const REDEFINE = 1;
const VALIDATE = 4;

async function python(program: string, args: string[]): Promise<number> {
  const { stdout } = await run("/usr/bin/python3", ["-c", program, ...args], { timeout: 1_200_000 });
  return Number(stdout);
}

const lineOf = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    id: `cp${String(i).padStart(5, "0")}`,
    parentId: i === 0 ? null : `cp${String(i - 1).padStart(5, "0")}`,
    createdAt: new Date(Date.UTC(2026, 0, 1, 0, i)).toISOString(),
    disks: DISKS.map(({ target }) => ({ target })),
  }));
type Line = ReturnType<typeof lineOf>;

/** What the loops send: as small as ours. */
const xmlOf = ({ id, parentId, createdAt, disks }: Line[number]): string =>
  `<domaincheckpoint><name>${id}</name>${parentId === null ? "" : `<parent><name>${parentId}</name></parent>`}` +
  `<creationTime>${Date.parse(createdAt) / 1000}</creationTime><disks>` +
  `${disks.map(({ target }) => `<disk name='${target}' checkpoint='bitmap' bitmap='${id}'/>`).join("")}</disks></domaincheckpoint>`;

/** A running VM that has the bitmaps of the line and no definition, as after a migration. */
async function makeVm(host: LabHost, name: string, line: Line): Promise<LabVm> {
  const vm = await host.defineVm({ name, disks: DISKS });
  await vm.start();
  for (let at = 0; at < line.length; at += 100) {
    const actions = line.slice(at, at + 100).flatMap(({ id }) =>
      ["libvirt-1-format", "libvirt-2-format"].map((node) => ({
        type: "block-dirty-bitmap-add",
        data: { node, name: id, persistent: true },
      })),
    );
    await vm.qmp({ execute: "transaction", arguments: { actions } });
  }
  return vm;
}

/** Seconds of processor time that a process has used. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const loadOf = (): string =>
  loadavg()
    .map((n) => n.toFixed(1))
    .join(" ");

const count = Number(process.argv[2] ?? 600);
const rounds = Number(process.argv[3] ?? 5);
const folder = await mkdtemp(join(tmpdir(), "dl-bench-redefine-"));
const lab = await openLab({ hosts: ["bench"] });
try {
  const host = lab.host("bench");
  const daemon = lab.context.state().hosts[0]?.daemon?.pid ?? 0;
  const line = lineOf(count);
  const vm = await makeVm(host, "bench", line);
  const file = join(folder, "definitions.json");
  await writeFile(file, JSON.stringify(line.map(xmlOf)));
  const agent = await AgentProcess.start({ libvirtUri: host.uri });
  try {
    const redefine = async (one: LabVm, wanted: Line): Promise<number> => {
      const { ms, value } = await timed(() => agent.put(`/v1/domains/${one.id}/checkpoints`, { checkpoints: wanted }));
      const result = redefineResultSchema.parse(value.body);
      if (result.defined.length !== wanted.length) throw new Error(`defined ${result.defined.length} only`);
      return ms;
    };
    const forget = (one: LabVm) => python(FORGET, [host.uri, one.id]);
    const virsh = async (): Promise<number> => {
      const paths: string[] = [];
      for (const one of line) {
        const path = join(folder, `${one.id}.xml`);
        await writeFile(path, xmlOf(one));
        paths.push(path);
      }
      const { ms } = await timed(async () => {
        for (const path of paths) await vm.virsh(["checkpoint-create", vm.id, path, "--redefine"]);
      });
      return ms;
    };
    const BARE = "bare loop, nothing checked (python3-libvirt)";
    const VALIDATED = "loop with libvirt's validation (python3-libvirt)";
    const OURS = "the agent: bulk, every bitmap of every disk checked, proof";
    const VIRSH = "virsh in a loop, a process each, nothing checked";
    const ways: Record<string, () => Promise<number>> = {
      [BARE]: () => python(LOOP, [host.uri, vm.id, String(REDEFINE), file]),
      [OURS]: () => redefine(vm, line),
      [VALIDATED]: () => python(LOOP, [host.uri, vm.id, String(REDEFINE | VALIDATE), file]),
    };
    const wall: Record<string, number[]> = { [BARE]: [], [OURS]: [], [VALIDATED]: [], [VIRSH]: [] };
    const cpu: Record<string, number[]> = { [BARE]: [], [OURS]: [], [VALIDATED]: [], [VIRSH]: [] };
    const measure = async (name: string, way: () => Promise<number>): Promise<void> => {
      await forget(vm);
      const before = await cpuSeconds(daemon);
      wall[name]?.push(await way());
      cpu[name]?.push((await cpuSeconds(daemon)) - before);
    };
    console.log(`load ${loadOf()}, ${cpus().length} cores`);
    // Interleaved, and turned round each time: the machine's load drifts, and must drift under all of them alike.
    for (let round = 0; round < rounds; round += 1) {
      const order = Object.entries(ways);
      for (const [name, way] of round % 2 === 0 ? order : order.toReversed()) await measure(name, way);
    }
    await measure(VIRSH, virsh);
    console.log(`redefine of ${count} checkpoints x ${DISKS.length} disks, ${rounds} rounds (virsh: one)`);
    const median = (name: string) => quantile(wall[name] ?? [], 0.5);
    console.table(
      Object.keys(wall).map((what) => ({
        what,
        "median ms": Math.round(median(what)),
        "ms each": Number((median(what) / count).toFixed(1)),
        "x bare": Number((median(what) / median(BARE)).toFixed(2)),
        "libvirtd CPU s": Number(quantile(cpu[what] ?? [], 0.5).toFixed(1)),
        "all ms": (wall[what] ?? []).map(Math.round).join(" "),
      })),
    );

    const part = lineOf(Math.ceil(count / 4));
    const four: LabVm[] = [];
    for (const name of ["one", "two", "three", "four"]) four.push(await makeVm(host, name, part));
    const partFile = join(folder, "part.json");
    await writeFile(partFile, JSON.stringify(part.map(xmlOf)));
    const bare = (one: LabVm) => python(LOOP, [host.uri, one.id, String(REDEFINE), partFile]);
    const [serial, parallel]: [number[], number[]] = [[], []];
    // What this machine has to give: the same definitions by bare loops, a process each.
    const [bareSerial, bareParallel]: [number[], number[]] = [[], []];
    const inTurn = async (): Promise<void> => {
      for (const one of four) await redefine(one, part);
    };
    const atOnce = async (): Promise<void> => {
      await Promise.all(four.map((one) => redefine(one, part)));
    };
    for (let round = 0; round < rounds; round += 1) {
      for (const [into, way] of [
        [serial, inTurn],
        [parallel, atOnce],
      ] as const) {
        for (const one of four) await forget(one);
        into.push((await timed(way)).ms);
      }
      for (const one of four) await forget(one);
      let sum = 0;
      for (const one of four) sum += await bare(one);
      bareSerial.push(sum);
      for (const one of four) await forget(one);
      bareParallel.push(Math.max(...(await Promise.all(four.map(bare)))));
    }
    const gain = quantile(serial, 0.5) / quantile(parallel, 0.5);
    const rows = [
      figure("the agent against the bare loop", median(OURS) / median(BARE), "x", { most: MOST_OF_BARE }),
      figure("the validated loop against the agent", median(VALIDATED) / median(OURS), "x", {
        least: LEAST_OF_VALIDATED,
      }),
      figure(`4 VMs x ${part.length} at once, faster than one after the other`, gain, "x", { least: LEAST_OF_SERIAL }),
    ];
    console.table(
      rows.map((row, i) => ({
        ...row,
        exact: [median(OURS) / median(BARE), median(VALIDATED) / median(OURS), gain][i]?.toFixed(3),
      })),
    );
    const ceiling = quantile(bareSerial, 0.5) / quantile(bareParallel, 0.5);
    console.log(`four bare loops at once are ${ceiling.toFixed(2)} x faster than one after the other on this machine`);
    console.log(
      `bare: serial ${bareSerial.map(Math.round).join(" ")} ms; at once ${bareParallel.map(Math.round).join(" ")} ms`,
    );
    console.log(`serial ${serial.map(Math.round).join(" ")} ms; at once ${parallel.map(Math.round).join(" ")} ms`);
    console.log(`load ${loadOf()}`);
    process.exitCode = rows.every(({ held }) => held === "yes") ? 0 : 1;
  } finally {
    await agent.stop();
  }
} finally {
  await lab.close();
  await rm(folder, { recursive: true, force: true });
}
