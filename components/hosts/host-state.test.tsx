import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { HostState } from "./host-state.tsx";

test("a host that was online when it was last heard of is not shown online, nor green", () => {
  expect(renderToStaticMarkup(<HostState state="online" past={false} />)).toContain("Online");
  const past = renderToStaticMarkup(<HostState state="online" past />);
  expect(past).toContain("was online");
  expect(past).not.toContain("text-ok");
});
