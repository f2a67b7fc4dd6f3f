/** `/api/auth/*`: the few calls of better-auth that we let in. Everything else about people is a verb of ours, with its audit. */
import { z } from "zod";
import { ProblemError } from "#contract/problem.ts";
import { parseBody, problemResponse, readBody } from "../http/handle.ts";
import { toProblem } from "../problems.ts";
import type { Engine } from "../state.ts";
import { withTrace } from "../trace.ts";
import { takeAttempt, takeStart } from "./attempts.ts";
import { assertSameSite } from "./authenticate.ts";
import { PEER_HEADER, secureCookies } from "./better-auth.ts";
import { deviceCookie, readDevice } from "./device.ts";
import { finishOidc, startOidc } from "./oidc.ts";
import { signOut } from "./sign-out.ts";

/** Everything here that is not a read; the sessions that it opens and ends are audited. */
export const CALLS: Readonly<Record<string, "GET" | "POST">> = {
  "/sign-in/email": "POST",
  "/sign-out": "POST",
  "/oidc/start": "POST",
  "/oidc/callback": "GET",
};

const credentials = z.object({ email: z.string().max(320), password: z.string().max(1_000) });

/** Where to go after the provider: a path of this site. */
const startInput = z.strictObject({
  next: z
    .string()
    .max(2_000)
    .regex(/^\/(?![/\\])[^\\\s]*$/, "a path of this site")
    .default("/vms"),
});

/** Answers every request to the sign-in service; throws nothing. */
export async function handleAuth(engine: Engine, request: Request, traceId: string): Promise<Response> {
  const path = new URL(request.url).pathname.slice("/api/auth".length).replace(/\/$/, "");
  try {
    const method = CALLS[path];
    if (!method) throw new ProblemError("not_found", "There is no such address.");
    if (request.method !== method) throw new ProblemError("method_not_allowed", `This address takes ${method}.`);
    assertSameSite(request.method, request.headers);
    const response = await withTrace(traceId, () => answer(engine, path, request, traceId));
    if ([401, 403, 429].includes(response.status)) {
      const code = response.status === 429 ? "rate_limited" : "unauthenticated";
      await refuse(engine, path, `status ${response.status}`, code, traceId);
    }
    return secureCookies(request, response);
  } catch (error) {
    const problem = toProblem(error);
    if (["csrf_rejected", "rate_limited", "forbidden"].includes(problem.code))
      await refuse(engine, path, problem.message, problem.code, traceId);
    return problemResponse(problem, traceId);
  }
}

async function answer(engine: Engine, path: string, request: Request, traceId: string): Promise<Response> {
  if (path === "/sign-in/email") return signIn(engine, request);
  if (path === "/oidc/start") {
    await takeStart(engine.db, request.headers.get(PEER_HEADER));
    const body = parseBody(await readBody(request), request.headers.get("content-type"));
    return startOidc(engine, request.headers, startInput.parse(body).next);
  }
  if (path === "/oidc/callback") {
    const { response, refusal, who } = await finishOidc(engine, request, traceId);
    if (refusal) {
      const detail = `sign-in through the provider: ${refusal}${who ? `, ${who}` : ""}`;
      await refuse(engine, path, detail, "unauthenticated", traceId);
    }
    return response;
  }
  return signOut(engine, request, traceId);
}

const refuse = (engine: Engine, path: string, detail: string, code: string, traceId: string) =>
  engine.refusals.note({
    actor: "anonymous",
    role: null,
    action: `auth${path.replaceAll("/", ".")}`,
    subject: null,
    detail,
    code,
    traceId,
  });

/** Counted before the password is looked at; a right one is no attempt, and makes this browser a known one. */
async function signIn(engine: Engine, request: Request): Promise<Response> {
  const body = parseBody(await readBody(request), request.headers.get("content-type"));
  const { email, password } = credentials.parse(body);
  const device = await readDevice(engine.db, request.headers, email);
  const peer = request.headers.get(PEER_HEADER);
  const attempt = await takeAttempt(engine.db, { account: email, peer, device });
  const headers = new Headers(request.headers);
  headers.delete("content-length");
  const inner = new Request(request.url, { method: "POST", headers, body: JSON.stringify({ email, password }) });
  const response = await engine.auth.handler(inner);
  if (!response.ok) return response;
  await attempt.succeeded();
  const answer = new Headers(response.headers);
  answer.append("set-cookie", await deviceCookie(engine.db, email));
  return new Response(response.body, { status: response.status, headers: answer });
}
