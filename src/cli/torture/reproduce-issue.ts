/** `lockstep torture --reproduce`: shows a historical issue of etcd, step by step. */
import { rmSync } from "node:fs";
import { nodeClock } from "../../platform/node/clock.js";
import type { Issue } from "../../torture/reproduce/issues.js";
import { Scene } from "../../torture/reproduce/scene.js";
import { Dice } from "../../verify/sim/plan/dice.js";
import { ProcessStage } from "./process-stage.js";
import type { Program } from "./program.js";

/** Exit 1: the issue shows. 0: it does not. */
export async function reproduceIssue(
  issue: Issue,
  options: { readonly report: string; readonly program: Program },
): Promise<number> {
  const { number, title, promise, members } = issue;
  const { report, program } = options;
  print(`etcd #${number} against ${program.version}: ${title}`);
  print(`promised: ${promise}`);
  const stage = await ProcessStage.create({
    program: { ...program, args: [...program.args, ...issue.flags] },
    ...{ folder: report, count: members, hasProxies: false, hasVolumes: false },
    rng: new Dice(number).sequence(),
  });
  const scene = new Scene(nodeClock, stage);
  const startMs = nodeClock.now();
  try {
    await stage.startAll();
    const { isShown, text } = await issue.run(scene);
    print(`seen: ${text}`);
    const seconds = ((nodeClock.now() - startMs) / 1_000).toFixed(1);
    print(`${isShown ? "BROKEN" : "KEPT"}, after ${seconds} s`);
    return isShown ? 1 : 0;
  } finally {
    scene.close();
    await stage.end();
    for (const member of stage.members)
      rmSync(stage.dataFolder(member), { recursive: true, force: true });
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
