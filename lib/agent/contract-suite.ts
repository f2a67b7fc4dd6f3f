/** What every host driver must do, seen from outside through the agent's HTTP API. Run on real libvirt and simulated. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Observation } from "#chain/model.ts";
import { hostInfoSchema } from "#contract/agent.ts";
import { extentsSchema } from "#contract/common.ts";
import { describeBackups } from "./contract-backups.ts";
import { describeHttp } from "./contract-http.ts";
import { describeOperations } from "./contract-operations.ts";
import { bitmapsOf, checkpointsOf, observationOf, type Rig } from "./testing/rig.ts";
import { until } from "./testing/until.ts";

const MIB = 2 ** 20;
const UNKNOWN_VM = "99999999-9999-4999-8999-999999999999";

const named = (observation: Observation, target: string, name: string) =>
  bitmapsOf(observation, target).find((bitmap) => bitmap.name === name);

/** Tests run in order on one host: later ones build on what earlier ones left. */
export function describeContract(name: string, openRig: () => Promise<Rig>): void {
  describe(`agent on ${name}`, () => {
    let rig: Rig;
    const observe = async (vmId: string): Promise<Observation> => observationOf(await rig.agent.observeOne(vmId));
    beforeAll(async () => {
      rig = await openRig();
    });
    afterAll(async () => {
      await rig?.close();
    });

    describeHttp(() => rig);

    it("tells who it is, that it is connected, and its limits", async () => {
      const host = hostInfoSchema.parse((await rig.agent.get("/v1/host")).body);
      expect(host.kind).toBe(rig.kind);
      expect(host.connection).toMatchObject({ state: "connected", error: null });
      expect(host.limits.checkpointNameLength).toBe(200);
    });

    it("lists all domains with power and writable disks", async () => {
      const { body } = await rig.agent.get("/v1/domains");
      const items = body.items as { vmId: string; power: string; disks: { target: string }[] }[];
      const of = (vmId: string) => items.find((item) => item.vmId === vmId);
      expect(of(rig.running)).toMatchObject({ power: "running", disks: [{ target: "vda" }, { target: "vdb" }] });
      expect(of(rig.stopped)).toMatchObject({ power: "shut-off", runtimeId: null });
    });

    it("observes a running domain through QMP: checkpoints parents first, recording bitmaps with counts", async () => {
      const seen = await observe(rig.running);
      expect(seen).toMatchObject({ power: "running", source: "qmp", persistent: true, job: { ok: true } });
      expect(seen.runtimeId).not.toBeNull();
      expect(checkpointsOf(seen).map((c) => [c.id, c.parentId, c.current])).toEqual([
        ["cp1", null, false],
        ["cp2", "cp1", true],
      ]);
      for (const target of ["vda", "vdb"]) {
        const bitmaps = bitmapsOf(seen, target);
        expect(bitmaps.map((b) => b.name).sort()).toEqual(["cp1", "cp2"]);
        for (const bitmap of bitmaps) {
          expect(bitmap).toMatchObject({ recording: true, persistent: true, inconsistent: false, dirtyBytes: 0 });
        }
      }
    });

    it("observes a stopped domain from its images: no counts, no run", async () => {
      const seen = await observe(rig.stopped);
      expect(seen).toMatchObject({ power: "shut-off", source: "image", runtimeId: null });
      expect(seen.checkpoints).toEqual({ ok: true, value: [] });
      expect(seen.disks.map((disk) => [disk.target, disk.virtualSize])).toEqual([
        ["vda", 64 * MIB],
        ["vdb", 64 * MIB],
      ]);
      expect(bitmapsOf(seen, "vda")).toEqual([]);
    });

    it("observes all domains when none is named, and closes the stream with their number", async () => {
      const items = await rig.agent.observe();
      const ids = items.flatMap((item) => (item.type === "observation" ? [item.observation.vmId] : []));
      expect(ids.sort()).toEqual([rig.running, rig.stopped].sort());
      expect(items.at(-1)).toMatchObject({ type: "done", count: 2 });
    });

    it("says absent for a domain that the host does not know", async () => {
      expect(await rig.agent.observeOne(UNKNOWN_VM)).toMatchObject({ type: "absent", vmId: UNKNOWN_VM });
    });

    it("answers an unchanged domain with its digest, moved counts with the counts, and a change in full", async () => {
      const { digest, countsDigest } = await observe(rig.running);
      const known = `${digest}:${countsDigest}`;
      expect(await rig.agent.observeOne(rig.running, known)).toMatchObject({ type: "unchanged", digest, counts: null });
      await rig.write(rig.running, "vda", 0, 2 * MIB);
      const moved = await rig.agent.observeOne(rig.running, known);
      if (moved.type !== "unchanged") throw new Error(`a write changed the digest: ${moved.type}`);
      expect(moved.counts?.filter((c) => c.target === "vda").map((c) => c.dirtyBytes)).toEqual([2 * MIB, 2 * MIB]);
      await rig.checkpoint(rig.running, "cp3");
      const changed = observationOf(await rig.agent.observeOne(rig.running, known));
      expect(checkpointsOf(changed).map((c) => c.id)).toEqual(["cp1", "cp2", "cp3"]);
      expect(named(changed, "vda", "cp3")?.dirtyBytes).toBe(0);
    });

    it("shows the dirty extents of a running domain, and leaves neither a job nor a checkpoint behind", async () => {
      const before = await observe(rig.running);
      const path = `/v1/domains/${rig.running}/disks/vda/bitmaps/cp1/extents?buckets=16`;
      const extents = extentsSchema.parse((await rig.agent.get(path)).body);
      expect(extents).toMatchObject({ source: "backup-live", dirtyBytes: 2 * MIB, virtualSize: 64 * MIB });
      expect(extents.buckets).toHaveLength(16);
      expect(extents.buckets.reduce((sum, bucket) => sum + bucket.dirtyBytes, 0)).toBe(2 * MIB);
      const after = await observe(rig.running);
      expect(after.digest).toBe(before.digest);
      expect(after.job).toMatchObject({ ok: true, value: { operation: "none" } });
    });

    it("answers 404 for the extents of a bitmap, disk or domain that is not there", async () => {
      for (const path of [
        `${rig.running}/disks/vda/bitmaps/nope`,
        `${rig.running}/disks/vdz/bitmaps/cp1`,
        `${UNKNOWN_VM}/disks/vda/bitmaps/cp1`,
      ]) {
        const answer = await rig.agent.get(`/v1/domains/${path}/extents`);
        expect([path, answer.status, answer.body.code]).toEqual([path, 404, "not_found"]);
      }
    });

    it("validates the complete set: true as it is, false with a checkpoint too many or too few", async () => {
      const set = checkpointsOf(await observe(rig.running)).map(({ id, parentId, createdAt, disks }) => ({
        id,
        parentId,
        createdAt,
        disks: disks.map(({ target }) => ({ target })),
      }));
      const validate = async (checkpoints: unknown) =>
        (await rig.agent.post(`/v1/domains/${rig.running}/checkpoints/validate`, { checkpoints })).body;
      expect(await validate(set)).toMatchObject({ valid: true, findings: [], unknown: [] });
      const extra = { ...set[0], id: "never-made", parentId: "cp3" };
      const more = await validate([...set, extra]);
      expect(more.valid).toBe(false);
      expect(more.findings).toContainEqual(expect.objectContaining({ kind: "bitmap.missing" }));
      const fewer = await validate(set.slice(0, 2));
      expect(fewer.valid).toBe(false);
      expect(fewer.findings).toContainEqual(expect.objectContaining({ kind: "metadata.unknown" }));
    });

    it("refuses a set with a name or a disk that comes twice, and names each offence", async () => {
      const one = { id: "a", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: [{ target: "vda" }] };
      const twice = { ...one, disks: [{ target: "vda" }, { target: "vda" }] };
      const path = `/v1/domains/${rig.running}/checkpoints/validate`;
      const answer = await rig.agent.post(path, { checkpoints: [one, twice] });
      expect(answer.status).toBe(422);
      const fields = (answer.body.errors as { field: string }[]).map((e) => e.field);
      expect(fields).toEqual(["checkpoints[1].id", "checkpoints[1].disks[1].target"]);
    });

    it("sees a bitmap that somebody added to a stopped image, and its extents", async () => {
      await rig.addBitmap(rig.stopped, "vda", "virtnbdbackup.0");
      expect(named(await observe(rig.stopped), "vda", "virtnbdbackup.0")).toMatchObject({
        recording: true,
        inconsistent: false,
        dirtyBytes: null,
      });
      await rig.write(rig.stopped, "vda", MIB, MIB);
      const path = `/v1/domains/${rig.stopped}/disks/vda/bitmaps/virtnbdbackup.0/extents`;
      const extents = extentsSchema.parse((await rig.agent.get(path)).body);
      expect(extents).toMatchObject({ source: "nbd-cold", dirtyBytes: MIB });
      await rig.removeBitmap(rig.stopped, "vda", "virtnbdbackup.0");
      expect(bitmapsOf(await observe(rig.stopped), "vda")).toEqual([]);
    });

    it("tells events from the state of the connection on, and gives every run another runtime id", async () => {
      const events = await rig.agent.listen();
      await until("the connection's state", 5_000, () => events.seen[0] ?? null);
      expect(events.seen[0]).toMatchObject({ type: "connection", state: "connected" });
      const first = (await observe(rig.running)).runtimeId;
      await rig.stop(rig.running);
      await rig.start(rig.running);
      const words = (): string[] =>
        events.seen.flatMap((e) => (e.type === "domain" && e.vmId === rig.running ? [e.event] : []));
      await until("started", 10_000, () => words().includes("started") || null);
      expect(words().indexOf("stopped")).toBeGreaterThanOrEqual(0);
      expect(words().indexOf("stopped")).toBeLessThan(words().indexOf("started"));
      events.stop();
      const second = (await observe(rig.running)).runtimeId;
      expect(second).not.toBeNull();
      expect(second).not.toBe(first);
    });

    it("shows what a killed process leaves: stored bitmaps in use, newer ones gone", async () => {
      await rig.checkpoint(rig.running, "cp4");
      await rig.kill(rig.running);
      const seen = await observe(rig.running);
      expect(seen.source).toBe("image");
      expect(named(seen, "vda", "cp1")).toMatchObject({ inconsistent: true });
      expect(named(seen, "vda", "cp4")).toBeUndefined();
    });

    it("says disconnected while the host is away, fails typed and never empty, and recovers by itself", async () => {
      const events = await rig.agent.listen();
      await until("the connection's state", 5_000, () => events.seen[0] ?? null);
      await rig.disconnect();
      const connections = (): string[] => events.seen.flatMap((e) => (e.type === "connection" ? [e.state] : []));
      await until("disconnected", 10_000, () => connections().includes("disconnected") || null);
      expect(await rig.agent.observeOne(rig.stopped)).toMatchObject({
        type: "failed",
        error: { code: "libvirt-unreachable", retryable: true },
      });
      const all = await rig.agent.request("/v1/observe", { method: "POST" });
      expect([all.status, ((await all.json()) as { code: string }).code]).toEqual([503, "unavailable"]);
      const host = hostInfoSchema.parse((await rig.agent.get("/v1/host")).body);
      expect(host.connection.state).toBe("disconnected");
      expect(host.connection.error?.code).toBe("libvirt-unreachable");
      await rig.reconnect();
      await until("connected again", 15_000, () => connections().at(-1) === "connected" || null);
      expect((await observe(rig.stopped)).power).toBe("shut-off");
      events.stop();
    });

    describeOperations(() => rig);
    describeBackups(() => rig);
  });
}
