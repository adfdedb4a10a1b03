/**
 * One incident on real processes, measured from outside: when it was noticed and after how many
 * entries, what was answered meanwhile, how the healthy members kept writing, when all was right again.
 */
import { rmSync } from "node:fs";
import type { Load } from "../../crash/load.js";
import type { ClusterMember } from "../../support/cluster.js";
import { corruptAlarms, eventually, noteOf } from "../incident.js";
import { Reader } from "../reader.js";
import { damagedPlace, type Stage } from "../stage.js";

const beforeMs = 3_000;
const afterMs = 1_000;
const pollMs = 5;

export interface Incident {
  readonly name: string;
  /** "heals": by itself. "refuses": does not start, and says what to do. */
  readonly ends:
    | "heals"
    | "refuses"
    | "catches up"
    | "stays contained"
    | "not noticed"
    | "is removed"
    | "not comparable";
  /** Milliseconds from the damage, or from the start on damaged files. */
  readonly detectedMs: number | undefined;
  readonly detectedEntries: number | undefined;
  readonly reads: { readonly right: number; readonly refused: number; readonly wrong: number };
  readonly lies: readonly string[];
  /** How reads were refused, and how often. */
  readonly refusals: Readonly<Record<string, number>>;
  /** "0", or what was found. */
  readonly lost: string;
  readonly writesBefore: number;
  readonly writesDuring: number;
  /** The longest time without an acknowledged write, in the incident. */
  readonly pauseMs: number;
  readonly healMs: number | undefined;
  readonly told: string;
}

/** How a case ended that its strike has followed to the end itself. */
interface Seen {
  readonly ends: "refuses" | "is removed" | "not comparable";
  readonly told: string;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export class Scene {
  readonly stage: Stage;
  readonly suspect: ClusterMember;
  #damagedAtMs = 0;
  #damagedIndex = 0;
  #seen: Seen | undefined;
  #noted = "";

  constructor(stage: Stage, suspect: ClusterMember) {
    this.stage = stage;
    this.suspect = suspect;
  }

  get needle(): Buffer {
    return this.stage.seed.mark(damagedPlace);
  }

  /** A read of what is damaged, at once. A refusal is no error. */
  async read(): Promise<void> {
    const key = this.stage.seed.key(damagedPlace);
    await this.suspect.client.range({ key }, { timeoutMs: 3_000 }).catch(() => undefined);
  }

  async appliedIndex(): Promise<number> {
    const status = await this.suspect.client.status({}, { timeoutMs: 3_000 });
    return Number(status.raftAppliedIndex);
  }

  /** Now the damage can be noticed, or since `at`. */
  mark(at?: { readonly ms: number; readonly index: number }): void {
    this.#damagedAtMs = at?.ms ?? Date.now();
    if (at !== undefined) this.#damagedIndex = at.index;
  }

  /** Stands in the table's list beside what the member told. */
  note(text: string): void {
    this.#noted = text;
  }

  /** The suspect is right again, or is gone for good ("is removed"). */
  saw(ends: Seen["ends"], told: string): void {
    this.#seen = { ends, told };
  }

  /** Files are damaged while the member is down. */
  async whileStopped(damage: () => void | Promise<void>): Promise<void> {
    await this.suspect.stop();
    await damage();
    this.mark();
    this.suspect.spawn();
  }

  /** @throws what the harness itself did wrong */
  async play(
    name: string,
    strike: (scene: Scene) => Promise<void>,
    healWithinMs: number,
  ): Promise<Incident> {
    const { load, reader } = this.stage.play(this.suspect);
    await sleep(500);
    const startedAt = load.acknowledged;
    await sleep(beforeMs);
    const writesBefore = (load.acknowledged - startedAt) / (beforeMs / 1_000);
    this.#damagedIndex = await this.appliedIndex();
    const pace = new Pace(() => load.acknowledged);
    const watch = new Watch(this.suspect, this.stage.others(this.suspect));
    let ended: Incident["ends"];
    let healedAtMs: number;
    try {
      await strike(this);
      ended = await this.#outcome(watch, healWithinMs);
      healedAtMs = Date.now();
      await sleep(afterMs);
    } finally {
      pace.stop();
      watch.stop();
    }
    const { perSecond, pauseMs } = pace;
    const seen = this.#seen;
    const isOut = seen === undefined ? ended === "refuses" : ended === "is removed";
    const replaced = isOut ? await this.#replace() : "";
    const lost = await this.#settle(ended, load);
    const { right, refused, wrong, lies } = reader.judged;
    const { note, seenAtMs } = watch;
    const detectedMs = seenAtMs === undefined ? undefined : seenAtMs - this.#damagedAtMs;
    return {
      ...{ name, ends: ended, detectedMs, lost, lies, writesBefore, pauseMs },
      detectedEntries:
        note === undefined ? undefined : Math.max(0, note.index - this.#damagedIndex),
      reads: { right, refused, wrong },
      refusals: Object.fromEntries(reader.judged.refusals),
      writesDuring: perSecond,
      healMs: ended === "heals" ? healedAtMs - (seenAtMs ?? this.#damagedAtMs) : undefined,
      told: (seen?.told ?? this.#told(note?.reason ?? watch.refusal)) + replaced,
    };
  }

  #told(byMember: string | undefined): string {
    return [byMember ?? "", this.#noted].filter((text) => text !== "").join("; ");
  }

  async #outcome(watch: Watch, withinMs: number): Promise<Incident["ends"]> {
    const seen = this.#seen;
    if (seen?.ends === "is removed") return seen.ends;
    const reader = new Reader(this.suspect, this.stage.seed, damagedPlace);
    const isRight = async (): Promise<boolean> => {
      if (watch.refusal !== undefined && seen === undefined) return true;
      if (noteOf(this.suspect) !== undefined || !(await reader.readOnce())) return false;
      const healthy = this.stage.others(this.suspect).find(({ isRunning }) => isRunning);
      const alarms = healthy === undefined ? [] : await corruptAlarms(healthy);
      return alarms.length === 0 && (watch.note !== undefined || watch.ageMs() > 5_000);
    };
    try {
      await eventually("all is right again", isRight, withinMs);
    } catch {
      return watch.seenAtMs === undefined ? "not noticed" : "stays contained";
    }
    if (seen !== undefined) return seen.ends;
    if (watch.refusal !== undefined) return "refuses";
    return watch.note === undefined ? "catches up" : "heals";
  }

  /** What the refusal's text says: removed, added anew, started with an empty data directory. */
  async #replace(): Promise<string> {
    const { suspect, stage } = this;
    const [healthy] = stage.others(suspect);
    if (healthy === undefined) return "";
    const startedAtMs = Date.now();
    const { members } = await healthy.client.memberList({});
    const old = members.find(({ name }) => name === suspect.name);
    if (old !== undefined) await healthy.client.memberRemove({ ID: old.ID });
    await suspect.kill();
    rmSync(suspect.dataDir, { recursive: true });
    await healthy.client.memberAdd({ peerURLs: [suspect.peerUrl] });
    suspect.plan.initialState = "existing";
    await suspect.start();
    await suspect.client.reconnected();
    return ` (done: ${((Date.now() - startedAtMs) / 1_000).toFixed(1)} s)`;
  }

  async #settle(ended: Incident["ends"], load: Load): Promise<string> {
    const { stage } = this;
    if (stage.cluster.members.length === 1) return "-";
    try {
      if (ended === "stays contained" || ended === "not noticed") {
        // Members cannot be compared then; the history of one that serves can be read.
        const serving = stage.cluster.members.find((member) => noteOf(member) === undefined);
        if (serving === undefined) return "not checked";
        await load.pause();
        await load.verify(serving);
      } else await stage.settle();
      return "0";
    } catch (error) {
      return (error as Error).message.split("\n")[0] ?? "";
    }
  }
}

/** The healthy members' writes through an incident. */
class Pace {
  readonly #count: () => number;
  readonly #startedAtMs = Date.now();
  readonly #startedAt: number;
  readonly #timer: NodeJS.Timeout;
  #last: number;
  #lastAtMs = Date.now();
  /** Known when stopped. */
  perSecond = 0;
  pauseMs = 0;

  constructor(count: () => number) {
    this.#count = count;
    this.#startedAt = count();
    this.#last = this.#startedAt;
    this.#timer = setInterval(() => this.#look(), pollMs);
  }

  #look(): void {
    this.pauseMs = Math.max(this.pauseMs, Date.now() - this.#lastAtMs);
    if (this.#count() === this.#last) return;
    this.#last = this.#count();
    this.#lastAtMs = Date.now();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#look();
    const seconds = (Date.now() - this.#startedAtMs) / 1_000;
    this.perSecond = (this.#count() - this.#startedAt) / seconds;
  }
}

/** Looks for the first sign that the damage was noticed. */
class Watch {
  readonly #suspect: ClusterMember;
  readonly #others: readonly ClusterMember[];
  readonly #timer: NodeJS.Timeout;
  readonly #pidBefore: number;
  /** Of earlier cases. */
  readonly #logBefore: number;
  readonly #startedAtMs = Date.now();
  note: { readonly index: number; readonly reason: string } | undefined;
  seenAtMs: number | undefined;
  /** The member ended by itself: its last word. */
  refusal: string | undefined;

  constructor(suspect: ClusterMember, others: readonly ClusterMember[]) {
    this.#suspect = suspect;
    this.#others = others;
    this.#pidBefore = suspect.process.pid;
    this.#logBefore = suspect.process.log().length;
    this.#timer = setInterval(() => this.#look(), pollMs);
  }

  ageMs(): number {
    return Date.now() - this.#startedAtMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const members = [this.#suspect, ...this.#others];
    const note = this.note ?? members.map(noteOf).find((one) => one !== undefined);
    if (note !== undefined && this.note === undefined) {
      this.note = note;
      this.seenAtMs ??= Date.now();
    }
    const { process } = this.#suspect;
    if (this.refusal !== undefined || process.isRunning || process.pid === this.#pidBefore) return;
    const fatal = /"msg":"failed to start","error":"((?:[^"\\]|\\.)*)"/g;
    const last = [...process.log().slice(this.#logBefore).matchAll(fatal)].at(-1)?.[1];
    if (last === undefined) return;
    this.refusal = `does not start: ${last.replaceAll('\\"', "'")}`;
    this.seenAtMs ??= Date.now();
  }
}
