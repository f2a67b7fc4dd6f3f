import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import type { Host } from "#contract/engine.ts";
import { HostTrouble } from "./host-trouble.tsx";

const textOf = (states: Host["state"][], isUnread = false) =>
  renderToStaticMarkup(
    <HostTrouble
      hosts={states.map((state) => ({ name: `host-${state}`, state }) as Host)}
      isUnread={isUnread}
      onRetry={() => {}}
    />,
  );

test("a host that answers without libvirt is told of, like one that does not answer", () => {
  expect(textOf(["online"])).toBe("");
  const text = textOf(["online", "degraded", "offline", "never"]);
  expect(text).toMatch(/2 hosts do not answer:.*host-offline, host-never/);
  expect(text).toMatch(/1 host answers, but without libvirt:.*host-degraded/);
  expect(text).not.toContain("host-online");
});

test("hosts that could not be read are not passed over as if all answered", () => {
  expect(textOf([], true)).toContain("could not be read");
});
