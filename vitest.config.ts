import { defineConfig } from "vitest/config";

/**
 * unit: pure or in-process, beside its file (`x.test.ts`, `x.test.tsx`).
 * real: against real libvirt, QEMU and PostgreSQL (`x.real.test.ts`); two files at a time: one alone leaves two cores idle
 * for most of its time.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["lib/**/*.test.ts", "components/**/*.test.{ts,tsx}"],
          exclude: ["**/*.real.test.ts", "**/node_modules/**"],
          // Some write and sync hundreds of small files: on a busy machine that takes longer than the usual 5 s.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "real",
          include: ["lib/**/*.real.test.ts"],
          maxWorkers: 2,
          maxConcurrency: 3,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
