/**
 * A differential run: sequences one after the other on a long-lived pair of servers, events compared
 * after each, the server under test restarted now and then; at a difference, the shortest sequence
 * that shows it on fresh servers. Throws with that sequence and the seed.
 */
import { SeededRng } from "../support/seeded-rng.js";
import type { ServerKind } from "../support/server-kind.js";
import { sequence, wipe } from "./generator.js";
import { type Operation, printOperations } from "./operation.js";
import { type Difference, ServerPair } from "./server-pair.js";

export interface CampaignOptions {
  readonly reference: ServerKind;
  readonly subject: ServerKind;
  readonly seed: number;
  readonly sequences: number;
  readonly length: number;
  /** Restart the server under test before every n-th sequence; 0: never. */
  readonly restartEvery: number;
}

const SHRINK_LIMIT_MS = 90_000;

/** Reruns candidates; pairs that saw no difference are still equal and serve again. */
class Replay {
  #pair: ServerPair | undefined;
  readonly #options: CampaignOptions;
  last: Difference | undefined;

  constructor(options: CampaignOptions) {
    this.#options = options;
  }
  async failsAt(operations: readonly Operation[]): Promise<number | undefined> {
    this.#pair ??= await ServerPair.start(this.#options.reference, this.#options.subject);
    const since = this.#pair.revision;
    let difference = await this.#pair.run([...wipe(), ...operations]);
    difference ??= await this.#pair.compareEvents(since);
    if (difference === undefined) return undefined;
    await this.dispose();
    this.last = difference;
    return difference.at < 0 ? operations.length - 1 : Math.max(0, difference.at - wipe().length);
  }
  async dispose(): Promise<void> {
    await this.#pair?.dispose();
    this.#pair = undefined;
  }
}

function describe(difference: Difference): string {
  const { operation, revision, reference, subject } = difference;
  const asked = operation === undefined ? "watch" : JSON.stringify(operation);
  return `at revision ${revision}, ${asked}\n  reference: ${reference}\n  subject:   ${subject}`;
}

async function report(
  options: CampaignOptions,
  difference: Difference,
  ran: readonly (readonly Operation[])[],
): Promise<Error> {
  const { shrink } = await import("./shrink.js");
  const replay = new Replay(options);
  const failsAt = (candidate: readonly Operation[]) => replay.failsAt(candidate);
  let text = `seed ${options.seed}: ${describe(difference)}`;
  try {
    for (let take = 1; take < ran.length * 2; take *= 4) {
      const candidate = ran.slice(-take).flat();
      const at = await failsAt(candidate);
      if (at === undefined) continue;
      const shortest = await shrink(candidate.slice(0, at + 1), {
        failsAt,
        limitMs: SHRINK_LIMIT_MS,
      });
      text += `\nshortest sequence found (${shortest.length}):\n${printOperations(shortest)}`;
      if (replay.last !== undefined) text += `\nwhich gives: ${describe(replay.last)}`;
      return new Error(text);
    }
    text += `\nnot reproduced on fresh servers; last sequence:\n${printOperations(ran.at(-1) ?? [])}`;
  } catch (cause) {
    text += `\nwhile shrinking: ${String(cause)}`;
  } finally {
    await replay.dispose();
  }
  return new Error(text);
}

/** Restarts the server under test; at once it must have all that it had. */
async function restart(pair: ServerPair, how: "SIGTERM" | "SIGKILL"): Promise<void> {
  await pair.restartSubject(how);
  const difference = await pair.run([
    { call: "range", fields: { key: "\0", range_end: "\0" } },
    { call: "leases", fields: {} },
  ]);
  if (difference !== undefined) throw new Error(`after ${how}, ${describe(difference)}`);
}

/** @returns how many operations were compared. */
export async function runCampaign(options: CampaignOptions): Promise<number> {
  const rng = new SeededRng(options.seed);
  const pair = await ServerPair.start(options.reference, options.subject);
  const ran: Operation[][] = [];
  let compared = 0;
  try {
    for (let i = 0; i < options.sequences; i++) {
      if (options.restartEvery > 0 && i % options.restartEvery === options.restartEvery - 1) {
        await restart(pair, rng.chance(50) ? "SIGKILL" : "SIGTERM");
      }
      const operations = [...(i === 0 ? [] : wipe()), ...sequence(rng, options.length)];
      ran.push(operations);
      const since = pair.revision;
      let difference = await pair.run(operations);
      difference ??= await pair.compareEvents(since);
      compared += operations.length;
      if (difference !== undefined) throw await report(options, difference, ran);
    }
    return compared;
  } finally {
    await pair.dispose();
  }
}
