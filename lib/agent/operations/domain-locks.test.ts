import { describe, expect, it } from "vitest";
import { DomainLocks } from "./domain-locks.ts";

describe("domain locks", () => {
  it("refuse a second call on the same domain at once, naming the first, and let another domain through", async () => {
    const locks = new DomainLocks();
    const first = Promise.withResolvers<string>();
    const held = locks.run("a", "redefine", () => first.promise);
    await expect(locks.run("a", "delete bitmaps", async () => "never")).rejects.toMatchObject({
      code: "vm_busy",
      message: expect.stringContaining("redefine, since 2"),
    });
    expect(await locks.run("b", "redefine", async () => "other")).toBe("other");
    first.resolve("done");
    expect(await held).toBe("done");
    expect(await locks.run("a", "redefine", async () => "next")).toBe("next");
  });

  it("are given back by a call that failed", async () => {
    const locks = new DomainLocks();
    const failing = locks.run("a", "redefine", async () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await locks.run("a", "redefine", async () => "next")).toBe("next");
  });
});
