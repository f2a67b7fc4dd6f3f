import { defineConfig } from "@playwright/test";

/**
 * Browser journeys. e2e/global-setup.ts starts the whole product on the real lab; to use one that is up already, say where:
 * DRIFTLINE_E2E_URL, DRIFTLINE_E2E_EMAIL, DRIFTLINE_E2E_PASSWORD.
 */
export default defineConfig({
  testDir: "e2e",
  globalSetup: "./e2e/global-setup.ts",
  globalTimeout: 1_500_000,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  workers: 1,
  forbidOnly: true,
  // `npm test` names those that needed it: lib/decisions/a-second-try.md.
  retries: 1,
  reporter: [["list"]],
  use: {
    baseURL: process.env.DRIFTLINE_E2E_URL ?? "http://127.0.0.1:3000",
    viewport: { width: 1440, height: 900 },
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.DRIFTLINE_E2E_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
