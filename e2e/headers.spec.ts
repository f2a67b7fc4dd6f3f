import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "@playwright/test";
import { signIn } from "./sign-in.ts";

const APP = join(process.cwd(), "app");
const NOWHERE = "00000000-0000-4000-8000-00000000ffff";

/** Every address that the app folder makes: pages and route handlers, with something in the place of each parameter. */
const addresses = readdirSync(APP, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /^(page\.tsx|route\.ts)$/.test(entry.name))
  .map((entry) => {
    const parts = relative(APP, entry.parentPath).split("/");
    const shown = parts.filter((part) => !/^\(.*\)$/.test(part)).map((part) => part.replace(/^\[.*\]$/, NOWHERE));
    return { path: `/${shown.join("/")}`, isPage: entry.name === "page.tsx" };
  });

const SAME: Record<string, string> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
};

test("every page, every route of the API and every file has the security headers", async ({ page, baseURL }) => {
  expect(addresses.length).toBeGreaterThanOrEqual(12);
  await signIn(page);
  const more = ["/api/v1/vms", "/api/v1/nowhere", "/nowhere", "/icon.svg"].map((path) => ({
    path,
    isPage: path === "/nowhere",
  }));
  for (const { path, isPage } of [...addresses, ...more]) {
    for (const proto of ["http", "https"]) {
      const headers = { "x-forwarded-proto": proto };
      const answer = await page.request.get(`${baseURL}${path}`, { headers, maxRedirects: 0 });
      const sent = answer.headers();
      for (const [name, value] of Object.entries(SAME)) expect([path, name, sent[name]]).toEqual([path, name, value]);
      expect([path, sent["permissions-policy"]?.includes("camera=()")]).toEqual([path, true]);
      expect([path, proto, sent["strict-transport-security"] !== undefined]).toEqual([path, proto, proto === "https"]);
      expect([path, sent["x-powered-by"]]).toEqual([path, undefined]);
      const policy = sent["content-security-policy"] ?? "";
      if (isPage) {
        expect([path, policy]).toEqual([
          path,
          expect.stringMatching(/script-src 'self' 'nonce-[^']+' 'strict-dynamic';/),
        ]);
      }
      if (isPage || /^\/(api|healthz|readyz|metrics)/.test(path)) {
        expect([path, policy]).toEqual([path, expect.stringContaining("frame-ancestors 'none'")]);
        expect([path, policy]).toEqual([path, expect.not.stringMatching(/script-src[^;]*unsafe-inline/)]);
      }
    }
  }
});
