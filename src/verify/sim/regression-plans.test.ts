/**
 * Plans that once made a member or the cluster fail, shrunk and kept: each must stay clean. f1 to
 * f7 and f13 have the name of the mutant that puts the bug back (docs/mutants.md); the other f
 * plans show bugs that too few seeds find for a mutant. Plans from a1 on: cases that the simulator
 * or a checker once took for a bug.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { decodePlan } from "./plan/plan-file.js";
import { runPlan } from "./run-plan.js";

const folder = path.join(import.meta.dirname, "plans");

test.each(readdirSync(folder))("%s stays clean", (name) => {
  const plan = decodePlan(readFileSync(path.join(folder, name), "utf8"));
  expect(runPlan(plan).violation).toBeUndefined();
});
