import { defineConfig } from "vitest/config";

/**
 * Two projects: what stands beside the code, and what starts real servers. Two files at a time, also on
 * two cores: the latter wait for disks and elections most of their time.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/house.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "whole",
          include: ["test/**/*.test.ts"],
          exclude: ["test/house.test.ts"],
          maxConcurrency: 2,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
