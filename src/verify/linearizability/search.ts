/**
 * Is there an order of these calls, each within its interval, that the model allows? The search of
 * Wing and Gong with Lowe's memory of visited configurations, for one partition, without recursion.
 *
 * What it adds, each without changing the verdict:
 *  - A completed call that is legal now and never changes a state (a read) is placed at once, for
 *    good: in any order that follows, it can be moved here. What happens to change nothing now (a
 *    write of the present value) is not: it may be needed later.
 *  - A call without a known outcome is only placed where it changes something, and only after the
 *    completed calls of that moment were tried; it need not be placed at all.
 *  - Nothing follows a pending call that could as well follow without it, to the same state.
 *  - Of alike calls only the one with the earliest end is tried.
 *  - See visited.ts for configurations that used more pending calls than a visited one.
 *
 * It never throws on size: a limit that is reached gives the verdict "unknown" and its reason.
 */
import { Furthest } from "./furthest.js";
import type { Model, ModelCall } from "./model.js";
import { StateTable } from "./state-table.js";
import { headNode, layOut, type PendingClass, type Timeline } from "./timeline.js";
import { Trail } from "./trail.js";
import { Visited } from "./visited.js";

export interface SearchLimits {
  /** Limit of the memory of states and configurations; does not count the calls themselves. */
  readonly bytesMax?: number;
  /** Limit of calls of `Model.step`. */
  readonly stepsMax?: number;
  /** Asked every few thousand steps; true ends the search as unknown. */
  readonly isTimeUp?: () => boolean;
}

/** 1 GiB. */
export const bytesMaxDefault = 1 << 30;

export interface SearchResult<State> {
  readonly verdict: "linearizable" | "not" | "unknown";
  /** For "unknown": the limit that ended the search. */
  readonly reason?: string;
  /**
   * The longest order found, as indexes of the calls: a whole one if linearizable, else one of
   * those that come furthest in time.
   */
  readonly order: readonly number[];
  /**
   * Unless linearizable: the first call that cannot be placed, by the time of its return. No order
   * places it together with every call that returned before (of "unknown": none was found).
   */
  readonly blocked?: number;
  /** Unless linearizable: some of the states in which `blocked` would have to be placed. */
  readonly states: readonly State[];
  readonly steps: number;
  readonly configurations: number;
}

const pollEvery = 4096;

/** @param indexes which of the calls belong to this partition */
export function search<State, Input, Output>(
  calls: readonly ModelCall<Input, Output>[],
  indexes: readonly number[],
  options: SearchOptions<State, Input, Output>,
): SearchResult<State> {
  const steps = Number.POSITIVE_INFINITY;
  return startSearch(calls, indexes, options).run({ steps, otherBytes: 0 }) as SearchResult<State>;
}

/** Limits of the search, and the model that says what a call does. */
export type SearchOptions<State, Input, Output> = SearchLimits & {
  readonly model: Model<State, Input, Output>;
};

/** The steps before the next pause, and the memory that other searches hold meanwhile. */
export interface Stretch {
  /** Steps since the beginning of this search. */
  readonly steps: number;
  readonly otherBytes: number;
}

export interface PausedSearch<State> {
  /** The present size of the search's tables. */
  readonly bytes: number;
  /** Undefined: a pause; call it again with more steps. */
  run(stretch: Stretch): SearchResult<State> | undefined;
}

/** Starts a search that runs in stretches, so that several partitions can take turns. */
export function startSearch<State, Input, Output>(
  calls: readonly ModelCall<Input, Output>[],
  indexes: readonly number[],
  options: SearchOptions<State, Input, Output>,
): PausedSearch<State> {
  return new Search(calls, layOut(calls, indexes, options.model), options);
}

/** A configuration that waits for its next move: words of its row in `#frames`. */
const frameTrail = 0;
const frameState = 1;
const frameReturn = 2;
const frameFirstChoice = 3;
const frameEndChoice = 4;
const frameNextChoice = 5;
const frameNextClass = 6;
/**
 * 1: the search entered this configuration by a pending call, and no read could be placed because
 * of it.
 */
const frameIsBarren = 7;
const frameWords = 8;

interface Entry {
  /** The first return that is not placed. */
  readonly node: number;
  readonly firstChoice: number;
  readonly end: number;
  readonly isBarren: boolean;
}

type Entered = "open" | "seen" | "done" | "limit";

class Search<State, Input, Output> implements PausedSearch<State> {
  readonly #model: Model<State, Input, Output>;
  readonly #limits: SearchLimits;
  readonly #line: Timeline;
  readonly #inputs: readonly Input[];
  readonly #outputs: readonly Output[];
  readonly #pendingInputs: readonly Input[];
  readonly #states: StateTable<State>;
  readonly #visited: Visited;
  readonly #trail: Trail;
  readonly #furthest: Furthest;
  #frames = new Int32Array(frameWords * 64);
  #depth = 0;
  #isBegun = false;
  #otherBytes = 0;
  /** Moves of all frames: a completed call and the state after it. */
  readonly #choiceCall: number[] = [];
  readonly #choiceState: State[] = [];
  /** By likeness: the place of its newest choice. */
  readonly #choiceOfAlike: Int32Array;
  #steps = 0;
  #nextPoll = pollEvery;
  #reason: string | undefined;

  constructor(
    calls: readonly ModelCall<Input, Output>[],
    line: Timeline,
    options: SearchOptions<State, Input, Output>,
  ) {
    const at = (index: number) => calls[index] as ModelCall<Input, Output>;
    this.#model = options.model;
    this.#limits = options;
    this.#line = line;
    this.#inputs = Array.from(line.completed, (index) => at(index).input);
    this.#outputs = Array.from(line.completed, (index) => at(index).output as Output);
    this.#pendingInputs = Array.from(line.pending, (index) => at(index).input);
    this.#states = new StateTable(options.model);
    const size = { lanes: line.laneCount, pending: line.pending.length };
    this.#visited = new Visited(size, options.bytesMax ?? bytesMaxDefault);
    this.#trail = new Trail(line, this.#visited.used);
    this.#furthest = new Furthest(line.completed.length + line.pending.length);
    this.#choiceOfAlike = new Int32Array(line.alikeCount).fill(-1);
  }

  get bytes(): number {
    return this.#states.bytes + this.#visited.bytes;
  }

  run({ steps, otherBytes }: Stretch): SearchResult<State> | undefined {
    this.#otherBytes = otherBytes;
    let entered = this.#isBegun ? this.#move() : this.#enter(this.#model.init, 0, false);
    this.#isBegun = true;
    while (entered === "open" || entered === "seen") {
      if (this.#steps >= steps) return undefined;
      entered = this.#move();
    }
    if (entered === "done") return this.#result("linearizable");
    return this.#result(entered === "limit" ? "unknown" : "not");
  }

  /**
   * The next move of the innermost configuration that has one; undefined: no configuration has one.
   */
  #move(): Entered | undefined {
    while (this.#depth > 0) {
      const frames = this.#frames;
      const frame = (this.#depth - 1) * frameWords;
      const length = frames[frame + frameTrail] as number;
      this.#trail.undoTo(length);
      this.#furthest.undoneTo(length);
      const end = frames[frame + frameEndChoice] as number;
      const choice = frames[frame + frameNextChoice] as number;
      if (choice < end) {
        frames[frame + frameNextChoice] = choice + 1;
        this.#trail.place(this.#choiceCall[choice] as number);
        return this.#enter(this.#choiceState[choice] as State, end, false);
      }
      const entered = this.#usePending(frame);
      if (entered !== undefined) return entered;
      this.#depth--;
    }
    return undefined;
  }

  /** Uses a call without a known outcome, if this frame's remaining classes have a useful one. */
  #usePending(frame: number): Entered | undefined {
    const { classes, pendingCallAt, nodeAt } = this.#line;
    const frames = this.#frames;
    const state = this.#states.states[frames[frame + frameState] as number] as State;
    const until = nodeAt[frames[frame + frameReturn] as number] as number;
    for (let at = frames[frame + frameNextClass] as number; at < classes.length; at++) {
      const { alike, calls } = classes[at] as PendingClass;
      const call = calls[this.#trail.classUsed[at] as number];
      if (call === undefined || (pendingCallAt[call] as number) > until) continue;
      if (alike >= 0 && this.#hasChoiceLike(alike, frame)) continue;
      this.#steps++;
      const after = this.#model.step(state, this.#pendingInputs[call] as Input, undefined);
      if (after === undefined || this.#isSame(after, state)) continue;
      if (this.#isAsWellWithout(frame, call, after)) continue;
      frames[frame + frameNextClass] = at + 1;
      this.#trail.use(call);
      return this.#enter(after, frames[frame + frameEndChoice] as number, true);
    }
    return undefined;
  }

  /** Whether this next call does not depend on the pending call that led to this frame. */
  #isAsWellWithout(frame: number, pending: number, after: State): boolean {
    if (this.#frames[frame + frameIsBarren] === 0) return false;
    const number = this.#frames[frame - frameWords + frameState] as number;
    const state = this.#states.states[number] as State;
    this.#steps++;
    const without = this.#model.step(state, this.#pendingInputs[pending] as Input, undefined);
    return without !== undefined && this.#isSame(without, after);
  }

  #hasChoiceLike(alike: number, frame: number): boolean {
    const end = this.#frames[frame + frameEndChoice] as number;
    for (let at = this.#frames[frame + frameFirstChoice] as number; at < end; at++) {
      if (this.#line.alike[this.#choiceCall[at] as number] === alike) return true;
    }
    return false;
  }

  #isSame(left: State, right: State): boolean {
    return left === right || this.#model.equals(left, right);
  }

  /**
   * Looks at every call that could come next in this state: places the reads among them, collects the others as choices, and remembers the configuration.
   */
  #enter(state: State, firstChoice: number, isByPending: boolean): Entered {
    if (this.#isSpent()) return "limit";
    const placedBefore = this.#trail.length;
    const { next, previous, nodeCall, lane, isRead, tailNode } = this.#line;
    const { key } = this.#visited;
    key.fill(0);
    let end = firstChoice;
    let node = next[headNode] as number;
    for (let call = nodeCall[node] as number; call >= 0; call = nodeCall[node] as number) {
      if (node === tailNode) return "done";
      this.#steps++;
      const after = this.#model.step(state, this.#inputs[call] as Input, this.#outputs[call]);
      if (after !== undefined && isRead[call] === 1) {
        const before = previous[node] as number;
        this.#trail.place(call);
        node = next[before] as number;
        continue;
      }
      if (after !== undefined) end = this.#choose(call, after, { firstChoice, end });
      const open = lane[call] as number;
      key[2 + (open >>> 5)] = (key[2 + (open >>> 5)] as number) | (1 << (open & 31));
      node = next[node] as number;
    }
    key[0] = this.#states.numberOf(state);
    key[1] = node;
    const isBarren = isByPending && this.#trail.length === placedBefore;
    if (isBarren) end = this.#dropAsWellWithout(firstChoice, end);
    return this.#remember({ node, firstChoice, end, isBarren });
  }

  /** Adds a choice; of alike calls only the one that returns first. Returns the new end. */
  #choose(
    call: number,
    after: State,
    range: { readonly firstChoice: number; readonly end: number },
  ): number {
    const { firstChoice, end } = range;
    const { alike, returnNode } = this.#line;
    const name = alike[call] as number;
    if (name >= 0) {
      const at = this.#choiceOfAlike[name] as number;
      const other = at >= firstChoice && at < end ? (this.#choiceCall[at] as number) : -1;
      if (other >= 0 && alike[other] === name) {
        const isEarlier = (returnNode[call] as number) < (returnNode[other] as number);
        if (isEarlier) this.#choiceCall[at] = call;
        return end;
      }
      this.#choiceOfAlike[name] = end;
    }
    this.#choiceCall[end] = call;
    this.#choiceState[end] = after;
    return end + 1;
  }

  /** Drops the choices that the frame below has too, with the same state. Returns the new end. */
  #dropAsWellWithout(firstChoice: number, end: number): number {
    const below = (this.#depth - 1) * frameWords;
    let other = this.#frames[below + frameFirstChoice] as number;
    let kept = firstChoice;
    for (let at = firstChoice; at < end; at++) {
      const call = this.#choiceCall[at] as number;
      const after = this.#choiceState[at] as State;
      // Both lists are in call order, except for alike calls. A missed match only costs time.
      while (other < firstChoice && (this.#choiceCall[other] as number) < call) other++;
      const isThere = other < firstChoice && this.#choiceCall[other] === call;
      if (isThere && this.#isSame(this.#choiceState[other] as State, after)) continue;
      this.#choiceCall[kept] = call;
      this.#choiceState[kept++] = after;
    }
    return kept;
  }

  #remember(entry: Entry): Entered {
    const { node, firstChoice, end, isBarren } = entry;
    const visited = this.#visited.visit(this.#states.bytes + this.#otherBytes);
    if (visited === "seen") return "seen";
    if (visited === "full") {
      this.#reason = `the memory for configurations is used up (${this.#visited.count} kept)`;
      return "limit";
    }
    const state = this.#visited.key[0] as number;
    this.#furthest.note(this.#trail, { node, state });
    const frame = this.#depth * frameWords;
    if (frame + frameWords > this.#frames.length) {
      const frames = new Int32Array(this.#frames.length * 2);
      frames.set(this.#frames);
      this.#frames = frames;
    }
    this.#frames[frame + frameTrail] = this.#trail.length;
    this.#frames[frame + frameState] = state;
    this.#frames[frame + frameReturn] = node;
    this.#frames[frame + frameFirstChoice] = firstChoice;
    this.#frames[frame + frameEndChoice] = end;
    this.#frames[frame + frameNextChoice] = firstChoice;
    this.#frames[frame + frameNextClass] = 0;
    this.#frames[frame + frameIsBarren] = isBarren ? 1 : 0;
    this.#depth++;
    return "open";
  }

  #isSpent(): boolean {
    const work = this.#steps + (this.#visited.compared >>> 3);
    if (work < this.#nextPoll) return false;
    this.#nextPoll = work + pollEvery;
    const { stepsMax, isTimeUp } = this.#limits;
    if (stepsMax !== undefined && this.#steps >= stepsMax) {
      this.#reason = `${stepsMax} steps were not enough`;
    } else if (isTimeUp?.() === true) this.#reason = "the time is up";
    return this.#reason !== undefined;
  }

  #result(verdict: SearchResult<State>["verdict"]): SearchResult<State> {
    const { completed, nodeCall } = this.#line;
    const counts = { steps: this.#steps, configurations: this.#visited.count };
    if (verdict === "linearizable") {
      return { verdict, order: this.#trail.order(), states: [], ...counts };
    }
    const { node, states } = this.#furthest;
    const order = this.#furthest.order(this.#trail);
    const known = { verdict, order, states: states.map((at) => this.#states.states[at] as State) };
    const reason = this.#reason === undefined ? {} : { reason: this.#reason };
    if (node === headNode) return { ...known, ...reason, ...counts };
    const blocked = completed[~(nodeCall[node] as number)] as number;
    return { ...known, ...reason, blocked, ...counts };
  }
}
