import { describe, expect, it, vi } from "vitest";
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

  it("are waited for while somebody only looks, and a look does not wait for a change", async () => {
    const locks = new DomainLocks();
    const looking = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    const changing = Promise.withResolvers<string>();
    const look = locks.look("a", "read extents", () => looking.promise);
    let isBegun = false;
    const change = locks.run("a", "redefine", () => {
      isBegun = true;
      begun.resolve();
      return changing.promise;
    });
    expect(await locks.run("b", "redefine", async () => "other")).toBe("other");
    expect(isBegun).toBe(false);
    looking.resolve("seen");
    expect(await look).toBe("seen");
    await begun.promise;
    await expect(locks.look("a", "read extents", async () => "never")).rejects.toMatchObject({
      code: "vm_busy",
      message: expect.stringContaining("redefine, since 2"),
    });
    changing.resolve("done");
    expect(await change).toBe("done");
    expect(await locks.look("a", "read extents", async () => "seen")).toBe("seen");
  });

  it("are not waited for longer than a look may take", async () => {
    vi.useFakeTimers();
    try {
      const locks = new DomainLocks();
      void locks.look("a", "read extents", () => new Promise(() => undefined));
      const refused = expect(locks.run("a", "redefine", async () => "never")).rejects.toMatchObject({
        code: "vm_busy",
        message: expect.stringContaining("read extents"),
      });
      await vi.advanceTimersByTimeAsync(10_000);
      await refused;
    } finally {
      vi.useRealTimers();
    }
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
