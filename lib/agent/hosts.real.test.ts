/** Layers, moves between hosts, and the ways an agent can be reached. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { problemSchema } from "#contract/problem.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import { nodeOf } from "#lab/qmp.ts";
import { startAgent } from "./agent.ts";
import { parseConfig } from "./config.ts";
import { AgentProcess } from "./testing/agent-process.ts";
import { bitmapsOf, checkpointsOf, observationOf } from "./testing/rig.ts";
import { until } from "./testing/until.ts";

const run = promisify(execFile);
const silent = pino({ level: "silent" });
const token = "a-token";
const tokenSha256 = [createHash("sha256").update(token).digest("hex")];

describe("two hosts", () => {
  let lab: Lab;
  let agents: Record<"one" | "two", AgentProcess>;

  beforeAll(async () => {
    lab = await openLab({ hosts: ["one", "two"] });
    const [one, two] = await Promise.all(
      ["one", "two"].map((name) => AgentProcess.start({ libvirtUri: lab.host(name).uri })),
    );
    if (one === undefined || two === undefined) throw new Error("no agents");
    agents = { one, two };
  });
  afterAll(async () => {
    await agents?.one.stop();
    await agents?.two.stop();
    await lab?.close();
  });

  it("sees a migration on both sides: bitmaps arrive, the list does not, the run is another", async () => {
    const vm = await lab.host("one").defineVm({ name: "moves", disks: [{ target: "vda", sizeMiB: 16 }] });
    await vm.start();
    await vm.checkpoint("cp1");
    const before = observationOf(await agents.one.observeOne(vm.id));
    const [left, right] = await Promise.all([agents.one.listen(), agents.two.listen()]);
    await until("both streams", 5_000, () => (left.seen.length > 0 && right.seen.length > 0) || null);
    await vm.migrate("two");
    const words = (seen: typeof left.seen): string[] => seen.flatMap((e) => (e.type === "domain" ? [e.event] : []));
    await until("migrated-in", 10_000, () => words(right.seen).includes("migrated-in") || null);
    await until("migrated-out", 10_000, () => words(left.seen).includes("migrated-out") || null);
    left.stop();
    right.stop();
    expect(await agents.one.observeOne(vm.id)).toMatchObject({ type: "absent" });
    const after = observationOf(await agents.two.observeOne(vm.id));
    expect(after.runtimeId).not.toBe(before.runtimeId);
    expect(checkpointsOf(after)).toEqual([]);
    expect(bitmapsOf(after, "vda")).toMatchObject([{ name: "cp1", recording: true, inconsistent: false }]);
    await vm.stop();
  });

  it("tells two runs of one UUID on two hosts apart", async () => {
    const disk = (path: string) => [{ target: "vda", sizeMiB: 8, path: join(lab.dir, "disks", path) }];
    const vm = await lab.host("one").defineVm({ name: "twin", disks: disk("twin-1.qcow2") });
    await vm.start();
    const xml = join(lab.dir, "disks", "twin.xml");
    const text = await vm.virsh(["dumpxml", "--inactive", vm.id]);
    await run("cp", [disk("twin-1.qcow2")[0]?.path ?? "", disk("twin-2.qcow2")[0]?.path ?? ""]);
    await run("chown", ["--reference", vm.disk("vda").path, join(lab.dir, "disks", "twin-2.qcow2")]);
    writeFileSync(xml, text.replace("twin-1.qcow2", "twin-2.qcow2"));
    chmodSync(xml, 0o644);
    const two = lab.host("two");
    await two.virsh(["define", xml]);
    await two.virsh(["start", vm.id]);
    const [first, second] = await Promise.all([agents.one.observeOne(vm.id), agents.two.observeOne(vm.id)]);
    const ids = [observationOf(first).runtimeId, observationOf(second).runtimeId];
    expect(ids[0]).toBe(observationOf(await agents.one.observeOne(vm.id)).runtimeId);
    expect(new Set(ids).size).toBe(2);
    await two.virsh(["destroy", vm.id]);
    await two.virsh(["undefine", vm.id]);
    await vm.stop();
  });

  it("names with markup go through observe, redefine on another host and back byte for byte, and nothing else in the XML changes", async () => {
    const path = join(lab.dir, "disks", "<a>&amp;'b]]>,ä.qcow2");
    const vm = await lab.host("one").defineVm({ name: "markup", disks: [{ target: "vda", sizeMiB: 8, path }] });
    // All that libvirt takes in the name of a VM, and as long as its own file names allow: it escapes one of them.
    const odd = `<name><uuid>&amp;"'<![CDATA[x]]>--> ä\u{1f600}\u2028\tb,c%s `;
    const escaped = odd.replace(/[<>&"']/g, (sign) => `&${"x".repeat(sign === "<" || sign === ">" ? 2 : 4)};`);
    const vmName = odd + "y".repeat(245 - Buffer.byteLength(escaped));
    await vm.virsh(["domrename", vm.id, vmName]);
    await vm.start();
    const xmls = (ids: string[]) =>
      Promise.all(ids.map((id) => vm.virsh(["checkpoint-dumpxml", vm.id, id, "--no-domain"])));
    const isTaken = (id: string) =>
      vm.virsh(["checkpoint-create-as", vm.id, "--name", id, "--description", `<b>]]>&amp; "${id}"`]).then(
        () => true,
        () => false,
      );
    // libvirt decides: version 9 takes none with markup, and more characters than we do.
    const markup = ["a<b", "a&amp;b", `a"b'c`, "]]>", "a\nb", "ä"];
    const ids: string[] = [];
    for (const id of ["root", "-a.b_c", "x".repeat(200), ...markup, "z".repeat(247)])
      if (await isTaken(id)) ids.push(id);
    expect(ids).toEqual(expect.arrayContaining(["root", "-a.b_c", "x".repeat(200), "z".repeat(247)]));
    // QEMU takes any name for a bitmap.
    const bitmaps = [
      `a' bitmap='root`,
      `"/><disk name="vda" checkpoint="bitmap" bitmap="root`,
      "a&b",
      "a&amp;b",
      "]]>",
      "<!--",
    ];
    const node = await nodeOf((args) => vm.virsh(args), vm.id, vm.disk("vda").path);
    for (const name of bitmaps) {
      await vm.qmp({ execute: "block-dirty-bitmap-add", arguments: { node, name, persistent: true } });
    }
    const observe = async (agent: AgentProcess) => observationOf(await agent.observeOne(vm.id));
    const namesOf = async () =>
      bitmapsOf(await observe(agents.one), "vda")
        .map(({ name }) => name)
        .sort();
    const seen = await observe(agents.one);
    expect([seen.name, seen.disks[0]?.source]).toEqual([vmName, path]);
    const chain = checkpointsOf(seen);
    expect(chain.map(({ id, parentId, disks }) => [id, parentId, disks])).toEqual(
      ids.map((id, i) => [id, ids[i - 1] ?? null, [{ target: "vda", bitmap: id }]]),
    );
    expect(await namesOf()).toEqual([...ids, ...bitmaps].sort());

    // A bitmap is taken away through a definition that we build: exactly that one goes, and the checkpoints stay as they are.
    const before = await xmls(ids);
    for (const [i, bitmap] of bitmaps.entries()) {
      const items = [{ disk: "vda", bitmap }];
      const { body } = await agents.one.post(`/v1/domains/${vm.id}/bitmaps/delete`, { items });
      expect(body.results).toMatchObject([{ bitmap, outcome: "deleted" }]);
      expect(await namesOf()).toEqual([...ids, ...bitmaps.slice(i + 1)].sort());
    }
    expect(await xmls(ids)).toEqual(before);

    // What libvirt takes and we do not let in is refused by its field, and nothing is touched.
    const put = (agent: AgentProcess, record: typeof chain) =>
      agent.put(`/v1/domains/${vm.id}/checkpoints`, {
        checkpoints: record.map(({ id, parentId, createdAt, disks }) => ({
          id,
          parentId,
          createdAt,
          disks: disks.map(({ target }) => ({ target })),
        })),
      });
    const refused = await put(agents.one, chain);
    expect([refused.status, refused.body.code]).toEqual([422, "invalid_input"]);
    expect(await xmls(ids)).toEqual(before);

    // The record goes to another host, where the VM has the same name, and back: the XML is as libvirt itself had made it.
    const kept = chain.slice(0, 3);
    const keptIds = kept.map(({ id }) => id);
    await agents.one.post(`/v1/domains/${vm.id}/checkpoints/delete`, { ids: ids.slice(3) });
    const bare = (xml: string) => xml.replace(/ *<description>.*<\/description>\n/, "");
    const wanted = (await xmls(keptIds)).map(bare);
    await vm.stop();
    for (const name of ["two", "one"] as const) {
      const file = join(lab.dir, "disks", "markup.xml");
      writeFileSync(file, await vm.virsh(["dumpxml", "--inactive", vm.id]));
      chmodSync(file, 0o644);
      await vm.virsh(["undefine", vm.id, "--checkpoints-metadata"]);
      await vm.recordHost(name);
      await vm.virsh(["define", file]);
      const redefined = await put(agents[name], kept);
      expect([redefined.status, redefined.body.defined]).toEqual([200, keptIds]);
      expect(await xmls(keptIds)).toEqual(wanted);
      expect(await vm.virsh(["domname", vm.id])).toBe(`${vmName}\n\n`);
      const there = await observe(agents[name]);
      expect([there.name, there.disks[0]?.source]).toEqual([vmName, path]);
    }
    await vm.virsh(["undefine", vm.id, "--checkpoints-metadata"]);
  });

  it("reads every layer of a chain, running and stopped, each with its own bitmaps", async () => {
    const vm = await lab.host("one").defineVm({ name: "layers", disks: [{ target: "vda", sizeMiB: 8 }] });
    const top = vm.disk("vda").path;
    const base = `${top}.base`;
    await run("qemu-img", ["bitmap", "--add", top, "lower"]);
    await run("mv", [top, base]);
    // A relative backing file: QEMU then shows the node as json:{…} instead of its path.
    await run("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base.split("/").at(-1) ?? "", top]);
    await run("qemu-img", ["bitmap", "--add", top, "upper"]);
    await run("chown", [`--reference=${base}`, top]);
    const look = async () => {
      const layers = observationOf(await agents.one.observeOne(vm.id)).disks[0]?.layers;
      if (!layers?.ok) throw new Error(JSON.stringify(layers));
      return layers.value.map((layer) => [layer.depth, layer.path, layer.bitmaps.map((b) => b.name)]);
    };
    const expected = [
      [0, top, ["upper"]],
      [1, base, ["lower"]],
    ];
    expect(await look()).toEqual(expected);
    await vm.start();
    expect(await look()).toEqual(expected);
    await vm.stop();
  });
});

describe("ways to reach an agent", () => {
  const folder = mkdtempSync(join(tmpdir(), "dl-agent-ways-"));
  const state = join(folder, "state.json");
  writeFileSync(state, JSON.stringify({ version: 1 }));
  const start = (more: object) =>
    startAgent(parseConfig({ libvirtUri: `sim://${state}`, tokenSha256, ...more }), silent);
  const headers = { authorization: `Bearer ${token}` };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const readAll = async (response: IncomingMessage): Promise<string> => {
    let text = "";
    for await (const chunk of response) text += chunk;
    return text;
  };

  it("answers over TLS", async () => {
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    await run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, ...subject]);
    const agent = await start({ listen: "0.0.0.0:0", tls: { cert, key } });
    const port = agent.address.split(":").at(-1);
    const { stdout: ca } = await run("cat", [cert]);
    const text = await new Promise<string>((resolve, reject) => {
      const options = { host: "127.0.0.1", port, path: "/v1/host", headers, ca };
      httpsRequest(options, (response) => resolve(readAll(response)))
        .on("error", reject)
        .end();
    });
    expect(agent.address).toMatch(/^https:/);
    expect(JSON.parse(text)).toMatchObject({ kind: "simulated" });
    await agent.close();
  });

  it("answers on a unix socket, also where a killed agent left one, and only its owner may connect", async () => {
    const path = join(folder, "agent.sock");
    const first = await start({ listen: `unix:${path}` });
    await expect(start({ listen: `unix:${path}` })).rejects.toThrow(/EADDRINUSE/);
    await first.close();
    await run("python3", ["-c", `import socket;socket.socket(socket.AF_UNIX).bind(${JSON.stringify(path)})`]);
    const agent = await start({ listen: `unix:${path}` });
    expect(agent.address).toBe(`unix:${path}`);
    const text = await new Promise<string>((resolve, reject) => {
      httpRequest({ socketPath: path, path: "/v1/host", headers }, (response) => resolve(readAll(response)))
        .on("error", reject)
        .end();
    });
    expect(JSON.parse(text)).toMatchObject({ kind: "simulated" });
    const { stdout } = await run("stat", ["-c", "%a", path]);
    expect(Number.parseInt(stdout, 8) & 0o022).toBe(0);
    await agent.close();
  });

  it("answers broken HTTP, an unreadable address and too large a head with a problem", async () => {
    const agent = await start({ listen: "127.0.0.1:0" });
    const port = Number(agent.address.split(":").at(-1));
    const say = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        let answer = "";
        const socket = connect(port, "127.0.0.1", () => socket.write(text));
        socket.on("data", (chunk) => {
          answer += chunk.toString();
        });
        socket.on("end", () => resolve(answer)).on("error", reject);
      });
    const cases: [string, number, string][] = [
      ["NONSENSE\r\n\r\n", 400, "malformed"],
      ["GET // HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 400, "malformed"],
      ["GET http://[ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 400, "malformed"],
      ["GET //evil/v1/host HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 400, "malformed"],
      [`GET / HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, 413, "too_large"],
    ];
    for (const [text, status, code] of cases) {
      const [head = "", body = ""] = (await say(text)).split("\r\n\r\n");
      expect([text.slice(0, 30), head.split(" ")[1]]).toEqual([text.slice(0, 30), String(status)]);
      expect(head.toLowerCase()).toContain("content-type: application/problem+json");
      expect(problemSchema.parse(JSON.parse(body)).code).toBe(code);
    }
    await agent.close();
  });
});
