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
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (/^event: error$/m.test(block)) throw new Error(`the stream failed: ${data}`);
      if (/^event: message$/m.test(block) && data !== undefined) yield JSON.parse(data);
      end = text.indexOf("\n\n");
    }
  }
}
