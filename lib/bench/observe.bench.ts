/**
 * One observe of one running VM with many checkpoints on two disks, through the agent's HTTP API, against the bare
 * libvirt calls it cannot do without (one QMP query, one list, one XML a checkpoint) made from python3-libvirt.
 * `npm run bench:observe [checkpoints]`. Budget: 1.5 times the bare calls.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { AgentProcess } from "#agent/testing/agent-process.ts";
import { openLab } from "#lab/lab.ts";

const BUDGET = 1.5;
const ROUNDS = 15;

const FILL = `
import libvirt,sys
d=libvirt.open(sys.argv[1]).lookupByUUIDString(sys.argv[2])
for i in range(int(sys.argv[3])):
    d.checkpointCreateXML("<domaincheckpoint><name>cp%05d</name><disks><disk name='vda' checkpoint='bitmap'/><disk name='vdb' checkpoint='bitmap'/></disks></domaincheckpoint>"%i)
`;
const BARE = `
import libvirt,libvirt_qemu,sys,time
d=libvirt.open(sys.argv[1]).lookupByUUIDString(sys.argv[2])
def read():
    t=time.perf_counter()
    libvirt_qemu.qemuMonitorCommand(d,'{"execute":"query-named-block-nodes","arguments":{"flat":true}}',0)
    [c.getXMLDesc(2) for c in d.listAllCheckpoints(2)]
    return (time.perf_counter()-t)*1e3
read()
print(read())
`;

async function python(program: string, args: string[]): Promise<number> {
  const run = promisify(execFile);
  const { stdout } = await run("/usr/bin/python3", ["-c", program, ...args], { timeout: 600_000 });
  return Number(stdout);
}

function quantile(samples: number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

const count = Number(process.argv[2] ?? 600);
const lab = await openLab({ hosts: ["bench"] });
try {
  const host = lab.host("bench");
  const disks = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 64 }));
  const vm = await host.defineVm({ name: "bench", disks });
  await vm.start();
  await python(FILL, [host.uri, vm.id, String(count)]);
  const agent = await AgentProcess.start({ libvirtUri: host.uri });
  try {
    const first = await agent.observeOne(vm.id);
    if (first.type !== "observation") throw new Error(`observe gave ${first.type}`);
    const { digest, countsDigest, checkpoints } = first.observation;
    if (!checkpoints.ok || checkpoints.value.length !== count) throw new Error("not every checkpoint was seen");
    const rows: Record<string, number[]> = {
      "bare calls (python3-libvirt)": [],
      "observe, whole": [],
      "observe, unchanged": [],
    };
    // Interleaved: the machine's load drifts, and must drift under all of them alike.
    for (let round = 0; round < ROUNDS; round += 1) {
      rows["bare calls (python3-libvirt)"]?.push(await python(BARE, [host.uri, vm.id]));
      rows["observe, whole"]?.push(await timed(() => agent.observeOne(vm.id)));
      rows["observe, unchanged"]?.push(await timed(() => agent.observeOne(vm.id, `${digest}:${countsDigest}`)));
    }
    const bare = quantile(rows["bare calls (python3-libvirt)"] ?? [], 0.5);
    console.log(`observe of one VM, ${count} checkpoints x 2 disks, ${ROUNDS} rounds`);
    console.table(
      Object.entries(rows).map(([what, samples]) => ({
        what,
        "median ms": Number(quantile(samples, 0.5).toFixed(1)),
        "p90 ms": Number(quantile(samples, 0.9).toFixed(1)),
        "x bare": Number((quantile(samples, 0.5) / bare).toFixed(2)),
      })),
    );
    const ratio = quantile(rows["observe, whole"] ?? [], 0.5) / bare;
    console.log(`budget ${BUDGET} x bare: ${ratio <= BUDGET ? "kept" : "MISSED"} (${ratio.toFixed(2)})`);
    process.exitCode = ratio <= BUDGET ? 0 : 1;
  } finally {
    await agent.stop();
  }
} finally {
  await lab.close();
}
