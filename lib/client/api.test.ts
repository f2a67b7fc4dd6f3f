import { minifyContractRouter } from "@orpc/contract";
import { afterEach, describe, expect, test, vi } from "vitest";
import { engineContract } from "#contract/engine.ts";
import { createBrowserApi } from "./api.ts";
import { toProblemView } from "./problem.ts";
import { requestOf } from "./routes.ts";

// As the layout sends it: what survives JSON.
const routes = JSON.parse(JSON.stringify(minifyContractRouter(engineContract)));
const vmId = "0b1c2d3e-0000-4000-8000-000000000001";
afterEach(() => vi.unstubAllGlobals());

describe("the browser's API client", () => {
  test("names in the path go there encoded, the rest of a read into its query, absent fields nowhere", () => {
    expect(requestOf(routes, ["vms", "extents"], { vmId, target: "vda", name: "a/b ?#", buckets: 64 })).toEqual({
      method: "GET",
      url: `/api/v1/vms/${vmId}/disks/vda/bitmaps/a%2Fb%20%3F%23/extents?buckets=64`,
      body: undefined,
    });
    expect(requestOf(routes, ["vms", "list"], { q: "a&b", host: undefined, limit: 1 }).url).toBe(
      "/api/v1/vms?q=a%26b&limit=1",
    );
  });

  test("the rest of a change goes into its body", () => {
    expect(requestOf(routes, ["vms", "observe"], { vmId })).toEqual({
      method: "POST",
      url: `/api/v1/vms/${vmId}/observe`,
      body: "{}",
    });
  });

  test("a call that the contract lacks, a missing path part and a nested query are refused before anything is sent", () => {
    expect(() => requestOf(routes, ["vms", "destroy"], {})).toThrow("no call vms.destroy");
    expect(() => requestOf(routes, ["vms", "get"], {})).toThrow("needs vmId");
    expect(() => requestOf(routes, ["vms", "list"], { q: { a: 1 } })).toThrow("does not fit");
  });

  test("an error answer keeps its code, trace id and the host's words; a page of a proxy becomes unavailable", async () => {
    const problem = {
      code: "cannot_tell",
      title: "The host could not be read",
      detail: "It does not answer.",
      retryable: true,
      traceId: "t-1",
      hostMessage: "Connection refused",
      errors: [{ field: "params.keepLast", reason: "must be at least 1" }],
    };
    const answers = [
      Response.json(problem, { status: 424 }),
      new Response("<html>Bad Gateway</html>", { status: 502 }),
    ];
    vi.stubGlobal("fetch", async () => answers.shift());
    const api = createBrowserApi(routes);
    const failed = async () => toProblemView(await api.vms.chain({ vmId }).catch((error: unknown) => error));
    expect(await failed()).toEqual(problem);
    expect(await failed()).toMatchObject({ code: "unavailable", retryable: true, traceId: null });
  });

  test("a key against running twice travels as a header, beside the body", async () => {
    const sent: RequestInit[] = [];
    vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
      sent.push(init);
      return Response.json({});
    });
    await createBrowserApi(routes).vms.observe({ vmId }, { context: { idempotencyKey: "k-1" } });
    expect(sent[0]).toMatchObject({ body: "{}", headers: { "idempotency-key": "k-1" } });
  });

  test("no answer at all reads as a network failure that can be tried again", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    const error: unknown = await createBrowserApi(routes)
      .me({})
      .catch((caught: unknown) => caught);
    expect(toProblemView(error)).toMatchObject({ code: "network", retryable: true });
  });
});
