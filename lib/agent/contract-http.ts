/** The part of the contract that is about requests: tokens, addresses, bounds, and answers to nonsense. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { problemSchema } from "#contract/problem.ts";
import type { Rig } from "./testing/rig.ts";

const PROBLEM = "application/problem+json";
/** Many requests in one test, on a machine that does other things too. */
const MANY = { timeout: 60_000 };
const VALID = { id: "a", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: [{ target: "vda" }] };

export function describeHttp(rig: () => Rig): void {
  describe("requests", () => {
    const send = async (path: string, init: RequestInit = {}) => {
      const response = await rig().agent.request(path, init);
      const body = problemSchema.parse(await response.json());
      expect(response.headers.get("content-type")).toBe(PROBLEM);
      expect(body.status).toBe(response.status);
      return { status: response.status, body, headers: response.headers };
    };
    const post = (path: string, body: string) =>
      send(path, { method: "POST", headers: { "content-type": "application/json" }, body });

    it("refuses every call under /v1 without a known token", async () => {
      for (const authorization of ["", "Bearer wrong", "Basic abc", `Bearer ${rig().agent.token}x`]) {
        for (const path of ["/v1/host", "/v1/domains", "/v1/events", "/v1/nowhere"]) {
          const { status, body, headers } = await send(path, { headers: { authorization } });
          expect([authorization, path, status, body.code]).toEqual([authorization, path, 401, "unauthenticated"]);
          expect(headers.get("www-authenticate")).toBe("Bearer");
        }
      }
    });

    it("answers 404 for an unknown address and 405 with Allow for a known one", async () => {
      expect(await send("/v1/nowhere")).toMatchObject({ status: 404, body: { code: "not_found" } });
      expect(await send("/")).toMatchObject({ status: 404 });
      const wrong = await send("/v1/host", { method: "DELETE" });
      expect([wrong.status, wrong.body.code, wrong.headers.get("allow")]).toEqual([405, "method_not_allowed", "GET"]);
      expect((await send("/metrics", { method: "POST" })).status).toBe(405);
    });

    it("answers 400 for a body that is not JSON or not sent as JSON", async () => {
      expect(await post("/v1/observe", '{"domains": [')).toMatchObject({ status: 400, body: { code: "malformed" } });
      const text = { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" };
      expect(await send("/v1/observe", text)).toMatchObject({ status: 400, body: { code: "malformed" } });
    });

    it("answers 422 for a body over the limit, and names the body", async () => {
      const body = JSON.stringify({ domains: ["x".repeat(9 * 1024 * 1024)] });
      expect(await post("/v1/observe", body)).toMatchObject({
        status: 422,
        body: { code: "invalid_input", errors: [{ field: "body" }] },
      });
    });

    it("names every offending field at once", async () => {
      const body = JSON.stringify({ domains: ["X", rig().running, 7], known: { Y: "d" }, extra: 1 });
      const { status, body: problem } = await post("/v1/observe", body);
      expect(status).toBe(422);
      const fields = problem.errors?.map((e) => e.field).sort();
      expect(fields).toEqual(["domains[0]", "domains[2]", "extra", "known.Y"]);
    });

    it("refuses what is said in a place where it does not belong: a query beside a body, a field of the path again", async () => {
      const at = `/v1/domains/${rig().running}/checkpoints`;
      const put = (path: string, body: unknown) =>
        send(path, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
      const extents = `/v1/domains/${rig().running}/disks/vda/bitmaps/cp1/extents`;
      const strays: [Promise<Awaited<ReturnType<typeof send>>>, string[]][] = [
        [put(`${at}?mode=salvage`, { checkpoints: [] }), ["mode"]],
        [put(at, { checkpoints: [], vmId: rig().stopped }), ["vmId"]],
        [put(`${at}?vmId=${rig().stopped}`, { checkpoints: [], vmId: rig().stopped }), ["vmId"]],
        [post("/v1/observe?domains=none", "{}"), ["domains"]],
        [send(`${extents}?buckets=4&name=cp2&target=vdb`), ["name", "target"]],
      ];
      for (const [answer, fields] of strays) {
        const { status, body } = await answer;
        expect([status, body.code]).toEqual([422, "invalid_input"]);
        expect(body.errors?.map(({ field }) => field)).toEqual(fields);
      }
    });

    it("answers any nonsense in one field with 422 that names the field", MANY, async () => {
      const places: [string, (junk: unknown) => Record<string, unknown>][] = [
        ["checkpoints[0].id", (id) => ({ ...VALID, id })],
        ["checkpoints[0].parentId", (parentId) => ({ ...VALID, parentId: parentId ?? 0 })],
        ["checkpoints[0].createdAt", (createdAt) => ({ ...VALID, createdAt })],
        ["checkpoints[0].disks[0].target", (target) => ({ ...VALID, disks: [{ target }] })],
      ];
      const junk = fc.oneof(
        fc.constantFrom("", ".a", "a/b", "a b", "x".repeat(201), "\u0000", "é", "../../etc", "a\nb"),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(fc.string(), { maxLength: 3 }),
        fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
      );
      const path = `/v1/domains/${rig().running}/checkpoints/validate`;
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...places), junk, async ([field, make], value) => {
          const { status, body } = await post(path, JSON.stringify({ checkpoints: [make(value)] }));
          expect(status).toBe(422);
          expect(body.errors?.every((e) => e.field === field || e.field.startsWith(`${field}.`))).toBe(true);
        }),
        { numRuns: 60 },
      );
    });

    it(
      "answers any JSON at all in place of a request with a problem, never with a fault of its own",
      MANY,
      async () => {
        await fc.assert(
          fc.asyncProperty(fc.jsonValue(), async (value) => {
            // `{}` alone is a request: it asks for every domain.
            const text = JSON.stringify(value);
            fc.pre(text !== "{}");
            const { status } = await post("/v1/observe", text);
            expect([422]).toContain(status);
          }),
          { numRuns: 60 },
        );
      },
    );

    it("answers any path below /v1 with a problem below 500", MANY, async () => {
      await fc.assert(
        fc.asyncProperty(fc.webPath(), fc.constantFrom("GET", "PUT", "DELETE"), async (path, method) => {
          const { status } = await send(`/v1/x${path}`, { method });
          expect(status).toBe(404);
        }),
        { numRuns: 40 },
      );
    });

    it("serves health, readiness and metrics without a token, and no domain's name in them", async () => {
      const bare = (path: string) => fetch(`${rig().agent.address}${path}`);
      expect(await (await bare("/healthz")).json()).toMatchObject({ status: "ok" });
      expect(await (await bare("/readyz")).json()).toEqual({ status: "ok", checks: { libvirt: "connected" } });
      const metrics = await (await bare("/metrics")).text();
      expect(metrics).toContain("driftline_agent_libvirt_connected 1");
      expect(metrics).toContain("driftline_agent_http_requests_total");
      expect(metrics).not.toContain(rig().running);
      expect(metrics).not.toContain(rig().agent.token);
    });

    it("serves OpenAPI 3.1 with every call of the contract", async () => {
      const { body } = await rig().agent.get("/v1/openapi.json");
      expect(body.openapi).toMatch(/^3\.1\./);
      expect(Object.keys(body.paths as object).sort()).toEqual([
        "/backups/discard",
        "/backups/verify",
        "/domains",
        "/domains/{vmId}/backups",
        "/domains/{vmId}/backups/current",
        "/domains/{vmId}/bitmaps/delete",
        "/domains/{vmId}/checkpoints",
        "/domains/{vmId}/checkpoints/delete",
        "/domains/{vmId}/checkpoints/validate",
        "/domains/{vmId}/disks/{target}/bitmaps/{name}/extents",
        "/events",
        "/host",
        "/observe",
        "/pair",
        "/token/confirm",
        "/token/revoke",
        "/token/rotate",
      ]);
    });
  });
}
