/** Reads a stream of server-sent events: the data of each `message`, until `done` or the end. */
export async function* readMessages(response: Response): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    let end = text.indexOf("\n\n");
    while (end >= 0) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      // Not by a pattern of lines: for those, other characters end a line too, and JSON may have them in a name.
      const lines = block.split("\n");
      const data = lines.find((line) => line.startsWith("data: "))?.slice("data: ".length);
      if (lines.includes("event: error")) throw new Error(`the stream failed: ${data}`);
      if (lines.includes("event: message") && data !== undefined) yield JSON.parse(data);
      end = text.indexOf("\n\n");
    }
  }
}
