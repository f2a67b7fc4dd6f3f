/** QEMU asked past libvirt, which may be dead, or waiting for the one whose work is looked at. */
import { connect } from "node:net";
import { createInterface } from "node:readline";

const ANSWER_MS = 1_000;

type Message = { QMP?: unknown; event?: string; return?: unknown; error?: { desc?: string } };

/** One command on a monitor that nobody else uses. @throws QEMU's words; where nobody answers */
export function askQemu(socket: string, execute: string, args: Record<string, unknown> = {}): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const connection = connect(socket);
  const timer = setTimeout(() => reject(new Error(`no answer to ${execute} in ${ANSWER_MS} ms`)), ANSWER_MS);
  const say = (command: object) => connection.write(`${JSON.stringify(command)}\n`);
  let isAsked = false;
  connection.on("error", reject);
  connection.on("close", () => reject(new Error(`QEMU went away at ${execute}`)));
  const lines = createInterface(connection);
  // It passes the connection's errors on.
  lines.on("error", reject);
  lines.on("line", (line) => {
    const { QMP, event, return: answer, error } = JSON.parse(line) as Message;
    if (event !== undefined) return;
    if (QMP !== undefined) say({ execute: "qmp_capabilities" });
    else if (error !== undefined) reject(new Error(error.desc ?? line));
    else if (isAsked) resolve(answer);
    else {
      isAsked = true;
      say({ execute, arguments: args });
    }
  });
  return promise.finally(() => {
    clearTimeout(timer);
    connection.destroy();
  });
}
