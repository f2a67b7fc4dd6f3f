/** The part of the contract that backs up: what is made, what is refused, and that a refusal leaves nothing behind. */
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Observation } from "#chain/model.ts";
import { currentBackupSchema } from "#contract/agent-operations.ts";
import { problemSchema } from "#contract/problem.ts";
import { BackupClient, type WantedDisk } from "./testing/backup-client.ts";
import { bitmapsOf, checkpointsOf, observationOf, type Rig } from "./testing/rig.ts";

const MIB = 2 ** 20;
const UNKNOWN_VM = "99999999-9999-4999-8999-999999999999";

/** Tests run in order on one domain: later ones build on what earlier ones left. */
export function describeBackups(rigOf: () => Rig): void {
  describe("backups", () => {
    let rig: Rig;
    let vmId: string;
    let backups: BackupClient;
    const observe = async (): Promise<Observation> => observationOf(await rig.agent.observeOne(vmId));
    const files = (): string[] => readdirSync(rig.repository, { recursive: true }).map(String).sort();
    const backupFiles = () => files().filter((file) => !file.startsWith(".driftline"));
    beforeAll(async () => {
      rig = rigOf();
      vmId = await rig.newVm("backed-up");
      backups = new BackupClient(() => rig.agent, rig.repository);
      await rig.write(vmId, "vda", 0, 4 * MIB);
    });

    /** The request is refused with this status, and neither the host nor the repository changed. */
    const refused = async (status: number, body: object, id = vmId) => {
      const before = { digest: (await observe()).digest, files: files() };
      const answer = await backups.ask(id, body);
      expect(answer.status, JSON.stringify(answer.body).slice(0, 2000)).toBe(status);
      expect({ digest: (await observe()).digest, files: files() }).toEqual(before);
      return answer.body;
    };
    const offencesOf = (body: unknown) =>
      Object.fromEntries((problemSchema.parse(body).errors ?? []).map(({ field, reason }) => [field, reason]));

    it("says none of a VM that has none, and 404 of one that is not there", async () => {
      expect(await backups.current(vmId)).toMatchObject({ state: "none", disks: [], error: null });
      expect((await rig.agent.get(`/v1/domains/${UNKNOWN_VM}/backups/current`)).status).toBe(404);
      await refused(404, { checkpointId: "b1", disks: [backups.full("vda", "none/vda")] }, UNKNOWN_VM);
    });

    it("names every offence at once and changes nothing", async () => {
      mkdirSync(join(rig.repository, "links"));
      mkdirSync(join(rig.repository, "..", "outside"));
      symlinkSync(join(rig.repository, "..", "outside"), backups.at("links/out"));
      writeFileSync(backups.at("links/there"), "no image");
      const disk = (over: Partial<WantedDisk>): object => ({ ...backups.full("vda", "new/x"), ...over });
      const body = await refused(422, {
        checkpointId: "b1",
        disks: [
          disk({ path: `${rig.repository}/../escaped` }),
          disk({ target: "vdz", path: backups.at("links/out/escaped") }),
          disk({ target: "vdb", mode: "incremental", path: backups.at("links/there") }),
          disk({ target: "vdc", path: "/etc/escaped", base: "b0", backing: backups.at("links/none") }),
        ],
      });
      expect(offencesOf(body)).toMatchObject({
        "disks[0].path": "has '..' in it",
        "disks[1].target": "the VM has no such writable disk",
        "disks[1].path": "leaves its repository through a link",
        "disks[2].path": "exists already",
        "disks[2].base": "an incremental backup starts from a checkpoint",
        "disks[2].backing": "an incremental backup stands on the restore point of its base",
        "disks[3].target": "the VM has no such writable disk",
        "disks[3].path": expect.stringContaining("is not inside a repository"),
        "disks[3].base": "a full backup starts from no checkpoint",
        "disks[3].backing": "does not exist",
      });
      const twice = [backups.full("vda", "new/x"), backups.full("vda", "new/x")];
      expect(Object.keys(offencesOf(await refused(422, { checkpointId: "b1", disks: twice })))).toEqual([
        "disks[1].target",
        "disks[1].path",
      ]);
    });

    it("refuses every odd id, target and path by its field, and writes nothing", async () => {
      mkdirSync(backups.at("aside"));
      symlinkSync(backups.at("aside"), backups.at("here"));
      const before = { digest: (await observe()).digest, files: files() };
      const good = backups.full("vda", "odd/x");
      const assertRefused = async (what: unknown, field: string, request: object) => {
        const { status, body } = await backups.ask(vmId, { checkpointId: "odd", disks: [good], ...request });
        expect([what, status, Object.keys(offencesOf(body))]).toEqual([what, 422, [field]]);
      };
      const odd = [
        "",
        ".",
        "..",
        "../b",
        "a/b",
        "/",
        "a\u0000b",
        "a\nb",
        " a",
        "ä",
        "\u{1f600}",
        "\ud800",
        "<a/>",
        "a]]>",
      ];
      for (const id of [...odd, ".a", "a".repeat(300)]) await assertRefused(id, "checkpointId", { checkpointId: id });
      for (const target of [...odd, "VDA", "vda ", "0", "a".repeat(300)]) {
        await assertRefused(target, "disks[0].target", { disks: [{ ...good, target }] });
      }
      const inside = ["", "..", "odd/../x", "odd//x", "odd/./x", "odd/", "a\u0000b", "a\nb", "\ud800", "x".repeat(300)];
      const paths = [...inside, "x/".repeat(2_100)].map((one) => `${rig.repository}/${one}`);
      for (const path of [...paths, "", "/", "relative", rig.repository]) {
        await assertRefused(path, "disks[0].path", { disks: [{ ...good, path }] });
      }
      // One file for two disks, however it is written, and one disk's file in the place of another's folder.
      const pairs = [
        ["odd/x", "odd/x"],
        ["aside/x", "here/x"],
        ["odd/x", "odd/x/y"],
        ["odd/x/y", "odd/x"],
      ] as const;
      for (const [one, other] of pairs) {
        const disks = [backups.full("vda", one), backups.full("vdb", other)];
        await assertRefused([one, other], "disks[1].path", { disks });
      }
      for (const id of ["..", "%2e%2e", "a%2fb", "a%00b", "%ff", "x".repeat(300)]) {
        const { status } = await rig.agent.post(`/v1/domains/${id}/backups`, { checkpointId: "odd", disks: [good] });
        expect([id, [400, 404, 405, 422].includes(status)]).toEqual([id, true]);
      }
      expect({ digest: (await observe()).digest, files: files() }).toEqual(before);
    });

    it("refuses another run of the VM than expected, and a VM that does not run, with a typed reason", async () => {
      const wanted = { checkpointId: "b1", disks: [backups.full("vda", "new/x")] };
      const other = await refused(409, { ...wanted, expect: { runtimeId: "another" } });
      expect(other).toMatchObject({ code: "conflict" });
      const { status, body } = await backups.ask(rig.stopped, wanted);
      expect([status, currentBackupSchema.parse(body)]).toMatchObject([
        202,
        { state: "failed", error: { code: "not-running" } },
      ]);
      expect(existsSync(backups.at("new"))).toBe(false);
    });

    it("refuses with 409 while a job holds the VM, naming it", async () => {
      const release = await rig.holdJob(vmId);
      const busy = await refused(409, { checkpointId: "b1", disks: [backups.full("vda", "new/x")] });
      expect(busy).toMatchObject({ code: "vm_busy", retryable: true });
      expect(busy.detail).toContain("backup");
      await release();
    });

    it("makes a full backup of both disks with its checkpoint and its files", async () => {
      const { runtimeId } = await observe();
      const disks = [backups.full("vda", "vm/b1/vda.qcow2"), backups.full("vdb", "vm/b1/vdb.qcow2")];
      const { status } = await backups.ask(vmId, { checkpointId: "b1", disks, expect: { runtimeId } });
      expect(status).toBe(202);
      const end = await backups.ended(vmId);
      expect(end).toMatchObject({ state: "finished", checkpointId: "b1", error: null });
      expect(end.disks.map(({ target, mode, path }) => [target, mode, path])).toEqual(
        disks.map(({ target, mode, path }) => [target, mode, path]),
      );
      for (const { bytes } of end.disks) expect(bytes).toBeGreaterThan(0);
      expect(Date.parse(end.endedAt ?? "")).toBeGreaterThanOrEqual(Date.parse(end.startedAt ?? ""));
      const seen = await observe();
      expect(checkpointsOf(seen).map((c) => [c.id, c.disks.map((d) => d.target)])).toEqual([["b1", ["vda", "vdb"]]]);
      expect(bitmapsOf(seen, "vda")).toMatchObject([{ name: "b1", recording: true, dirtyBytes: 0 }]);
      expect(backupFiles()).toContain("vm/b1/vda.qcow2");
    });

    it("mixes modes per disk, and leaves a disk that is not named out of backup and checkpoint", async () => {
      await rig.write(vmId, "vda", 8 * MIB, MIB);
      const end = await backups.make(vmId, "b2", [
        backups.incremental("vda", "b1", "vm/b2/vda.qcow2", "vm/b1/vda.qcow2"),
        backups.full("vdb", "vm/b2/vdb.qcow2"),
      ]);
      expect(end).toMatchObject({ state: "finished", disks: [{ mode: "incremental" }, { mode: "full" }] });
      await backups.make(vmId, "b3", [backups.incremental("vda", "b2", "vm/b3/vda.qcow2", "vm/b2/vda.qcow2")]);
      const seen = await observe();
      expect(checkpointsOf(seen).map((c) => [c.id, c.parentId, c.disks.map((d) => d.target)])).toEqual([
        ["b1", null, ["vda", "vdb"]],
        ["b2", "b1", ["vda", "vdb"]],
        ["b3", "b2", ["vda"]],
      ]);
      expect(bitmapsOf(seen, "vdb").map(({ name }) => name)).not.toContain("b3");
    });

    it("refuses a checkpoint that is there already, and leaves nothing", async () => {
      const { body } = await backups.ask(vmId, { checkpointId: "b2", disks: [backups.full("vda", "new/x")] });
      expect(body).toMatchObject({ state: "failed", error: { code: "already-exists" } });
      expect(existsSync(backups.at("new"))).toBe(false);
    });

    it("names the disks whose base is broken, and leaves neither file nor checkpoint", async () => {
      await rig.removeBitmap(vmId, "vdb", "b2");
      const before = { checkpoints: checkpointsOf(await observe()), files: files() };
      const { body } = await backups.ask(vmId, {
        checkpointId: "b4",
        disks: [
          backups.incremental("vda", "b3", "vm/b4/vda.qcow2", "vm/b3/vda.qcow2"),
          backups.incremental("vdb", "b2", "vm/b4/vdb.qcow2", "vm/b2/vdb.qcow2"),
        ],
      });
      const failed = currentBackupSchema.parse(body);
      expect(failed).toMatchObject({
        state: "failed",
        error: { code: "checkpoint-inconsistent", disks: ["vdb"], retryable: false },
      });
      expect(failed.error?.message).toContain("vdb: bitmap 'b2' is missing");
      expect({ checkpoints: checkpointsOf(await observe()), files: files() }).toEqual(before);
    });

    it("tells that there is nothing to abort by telling what there was", async () => {
      const { status, body } = await backups.abort(vmId);
      expect([status, body]).toMatchObject([200, { state: "finished", checkpointId: "b3" }]);
    });

    it("proves a restore: good images, one digest a content, and equal to the disk once the VM is stopped", async () => {
      const [running] = await backups.verdicts({ vda: "vm/b3/vda.qcow2" }, { vmId, checkpointId: "b3" });
      expect(running).toMatchObject({ comparedWithDisk: "not-comparable", error: null });
      expect(running?.images.map(({ path, ok }) => [path, ok])).toEqual(
        ["b3", "b2", "b1"].map((id) => [backups.at(`vm/${id}/vda.qcow2`), true]),
      );
      await rig.stop(vmId);
      const [equal] = await backups.verdicts({ vda: "vm/b3/vda.qcow2" }, { vmId, checkpointId: "b3" });
      expect(equal).toMatchObject({ comparedWithDisk: "equal", detail: null, sha256: running?.sha256 });
      const [older] = await backups.verdicts({ vda: "vm/b1/vda.qcow2" }, { vmId, checkpointId: "b1" });
      expect(older).toMatchObject({ comparedWithDisk: "not-comparable", error: null });
      expect(older?.sha256).not.toBe(equal?.sha256);
      const outside = await backups.verifyRequest({
        disks: [{ target: "vda", path: "/etc/passwd" }],
        compareWith: null,
      });
      expect(outside.status).toBe(422);
    });

    it("discards named files with the folders left empty, never a link, a folder or what lies outside", async () => {
      const before = files();
      for (const path of ["../escaped", "links/out", "links/out/x", "vm", ".driftline/jobs"]) {
        const { status, body } = await rig.agent.post("/v1/backups/discard", {
          paths: [backups.at("vm/b3/vda.qcow2"), `${rig.repository}/${path}`],
        });
        expect([path, status, Object.keys(offencesOf(body))]).toEqual([path, 422, ["paths[1]"]]);
      }
      expect(files()).toEqual(before);
      const paths = ["vm/b3/vda.qcow2", "vm/b3/none"];
      const { body } = await backups.discard(paths);
      expect(body).toEqual({ removed: [backups.at("vm/b3/vda.qcow2")], absent: [backups.at("vm/b3/none")] });
      expect(existsSync(backups.at("vm/b3"))).toBe(false);
      expect(existsSync(backups.at("vm/b2/vda.qcow2"))).toBe(true);
    });
  });
}
