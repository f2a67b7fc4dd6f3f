/** Stands before an agent and makes its clock wrong: every time that it says of itself is moved. */
import { createServer, request } from "node:http";
import { Transform } from "node:stream";
import { AGENT_TIME } from "#contract/agent.ts";

const TIME = /"(observedAt|at|now)":"([^"]+)"/g;
const move = (time: string, byMs: number) => new Date(Date.parse(time) + byMs).toISOString();

/** Listens on a socket and hands on to the agent's. Answers are small here: what an agent writes at once comes at once. */
export async function openWrongClock(
  agentUrl: string,
  byMs: number,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const socketPath = agentUrl.slice("unix:".length);
  const server = createServer((asked, answer) => {
    const onward = request({ socketPath, method: asked.method, path: asked.url, headers: asked.headers }, (came) => {
      const { "content-length": _length, ...headers } = came.headers;
      headers[AGENT_TIME] = move(String(headers[AGENT_TIME]), byMs);
      answer.writeHead(came.statusCode ?? 502, headers);
      const moved = new Transform({
        transform: (chunk, _encoding, done) =>
          done(
            null,
            String(chunk).replaceAll(TIME, (_, field, time) => `"${field}":"${move(time, byMs)}"`),
          ),
      });
      came.pipe(moved).pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
  });
  const path = `${socketPath}.moved`;
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    url: `unix:${path}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
