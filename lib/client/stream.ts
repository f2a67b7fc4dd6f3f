import { ApiProblem, isProblem } from "./problem.ts";

/** One block of a server-sent stream: its event name (`message` unless said) and its data. null: a comment. */
function parseBlock(block: string): { event: string; data: string } | null {
  const fields = block.split(/\r?\n/).map((line) => {
    const at = line.indexOf(":");
    return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
  });
  const data = fields.filter(([name]) => name === "data").map(([, value]) => value);
  const event = fields.findLast(([name]) => name === "event")?.[1] || "message";
  return data.length === 0 && event === "message" ? null : { event, data: data.join("\n") };
}

/**
 * The events of an answer that streams, each already parsed. Ends with `done` or with the stream.
 * @throws ApiProblem when the server ends it with `error`
 */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const text of blocks) {
        const block = parseBlock(text);
        if (block?.event === "done") return;
        if (block?.event === "error") throw toStreamProblem(block.data);
        if (block) yield JSON.parse(block.data);
      }
    }
  } finally {
    // Whoever stops listening ends the work on the server too.
    await reader.cancel().catch(() => undefined);
  }
}

function toStreamProblem(data: string): ApiProblem {
  const body: unknown = data === "" ? null : JSON.parse(data);
  const inner = typeof body === "object" && body !== null && "data" in body ? body.data : body;
  if (isProblem(inner)) {
    const { code, title, detail, retryable, traceId, hostMessage = null, errors = [] } = inner;
    return new ApiProblem({ code, title, detail, retryable, traceId, hostMessage, errors });
  }
  const detail = typeof body === "object" && body !== null && "message" in body ? String(body.message) : "";
  return new ApiProblem({
    code: "internal",
    title: "It ended before it was done",
    detail: detail || "The server ended the answer without saying why.",
    retryable: true,
    traceId: null,
    hostMessage: null,
    errors: [],
  });
}
