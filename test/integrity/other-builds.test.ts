/** The patches of builds that the fault matrix runs beside this one still find their places. */
import path from "node:path";
import { expect, test } from "vitest";
import { notApplying } from "../../src/cli/mutants/mutant-build.js";
import { serverVersion } from "../../src/member/config.js";
import {
  misapplying,
  otherDigestVersion,
  otherServerVersion,
} from "../robustness/matrix/other-builds.js";
import { projectRoot } from "../support/server-kind.js";

test("the builds of the fault matrix can be made", async () => {
  const empty = { title: "", origin: "", conditions: "", caughtBy: [] };
  const builds = [
    { ...empty, id: "misapplying", patches: misapplying("true") },
    { ...empty, id: "other digest", patches: otherDigestVersion },
    { ...empty, id: "other version", patches: otherServerVersion(serverVersion, "3.9.0") },
  ];
  expect([...(await notApplying(builds, path.join(projectRoot, "dist"))).values()]).toEqual([]);
});
