import { defineConfig } from "vitest/config";

/**
 * Two projects: what stands beside the code, and what starts real servers. Two files at a time, also on
 * two cores: the latter wait for disks and elections most of their time.
 */

/** Long stories on real processes: `npm run stories`, a step of .ci/run, runs these and no others. */
const stories = [
  "test/bad-input/hostile-peer.test.ts",
  "test/maintenance/replaced-state.test.ts",
  "test/robustness/stopping.test.ts",
  "test/clients/ctl-tools.test.ts",
  "test/clients/secure/*.test.ts",
  "test/differential/auth/token-age.test.ts",
  "test/operations/runbooks.test.ts",
  "test/membership/force-new-cluster.test.ts",
  "test/membership/membership.test.ts",
  "test/audit/audit.test.ts",
  "test/large/large-entries.test.ts",
  "test/migrate/*.test.ts",
  "test/torture/*.test.ts",
];
const areWanted = process.env.LOCKSTEP_STORIES === "1";

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/slow-files-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/house*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "whole",
          include: areWanted ? stories : ["test/**/*.test.ts"],
          exclude: areWanted ? [] : ["test/house*.test.ts", ...stories],
          maxConcurrency: 2,
          // Some stories take a minute, more on a busy machine.
          testTimeout: areWanted ? 240_000 : 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
