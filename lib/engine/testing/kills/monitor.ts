/** QEMU asked past libvirt, which may be dead, or waiting for the one whose work is looked at. */
import { connect } from "node:net";
import { createInterface } from "node:readline";

const ANSWER_MS = 1_000;

type Node = { "dirty-bitmaps"?: { name?: string; persistent: boolean }[] };
type Message = { QMP?: unknown; event?: string; return?: unknown };

/** Names of the persistent bitmaps of all disks at this moment; null: nobody answers. `socket`: of a monitor that nobody else uses. */
export function readBitmapNames(socket: string): Promise<Set<string> | null> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const end = (names: Set<string> | null) => {
      clearTimeout(timer);
      connection.destroy();
      resolve(names);
    };
    const timer = setTimeout(() => end(null), ANSWER_MS);
    const ask = (command: object) => connection.write(`${JSON.stringify(command)}\n`);
    connection.on("error", () => end(null));
    connection.on("close", () => end(null));
    const lines = createInterface(connection);
    // It passes the connection's errors on.
    lines.on("error", () => end(null));
    lines.on("line", (line) => {
      const { QMP, event, return: answer } = JSON.parse(line) as Message;
      if (QMP !== undefined) ask({ execute: "qmp_capabilities" });
      else if (Array.isArray(answer)) end(namesOf(answer));
      else if (event === undefined) ask({ execute: "query-named-block-nodes", arguments: { flat: true } });
    });
  });
}

/** Those that are not persistent are libvirt's own, for the time of a backup. */
const namesOf = (nodes: Node[]): Set<string> =>
  new Set(
    nodes
      .flatMap((node) => node["dirty-bitmaps"] ?? [])
      .flatMap(({ name, persistent }) => (name && persistent ? name : [])),
  );
