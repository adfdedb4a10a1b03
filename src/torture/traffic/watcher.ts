/**
 * A client that watches all keys, and records every answer. When its stream breaks, it goes on at
 * another member behind the last revision that it has seen, as etcd's clients do.
 */
import type { Clock } from "../../platform/clock.js";
import {
  eventOf,
  watchCreateRequest,
  watchProgressRequest,
} from "../../verify/sim/clients/watch-calls.js";
import { WatchResponse } from "../../wire/gen/rpc.js";
import { abbreviated } from "../abbreviate.js";
import type { Connection, Stage } from "../ports.js";
import type { OpenWatch, Recorder } from "../recorder.js";
import { end, first } from "./draw-request.js";

const resumeMs = 200;
const progressMs = 1_000;
const watchPath = "/etcdserverpb.Watch/Watch";

export interface WatcherParts {
  readonly clock: Clock;
  readonly stage: Stage;
  readonly recorder: Recorder;
  readonly number: number;
  readonly prevKv: boolean;
  /** The revision where the first stream begins. */
  readonly revision: number;
}

export class TortureWatcher {
  readonly #parts: WatcherParts;
  #place: number;
  /** The revision where the next stream begins. */
  #nextRevision: number;
  #stream: ReturnType<Connection["stream"]> | undefined;
  #connection: Connection | undefined;
  #isOver = false;

  constructor(parts: WatcherParts) {
    this.#parts = parts;
    this.#place = parts.number;
    this.#nextRevision = parts.revision;
  }

  start(): void {
    this.#connect();
    this.#askForProgress();
  }

  end(): void {
    this.#isOver = true;
    this.#stream?.cancel();
    this.#connection?.close();
  }

  /** The revision up to which this client has seen everything. */
  seen(): number {
    return this.#nextRevision - 1;
  }

  #connect(): void {
    if (this.#isOver) return;
    const { stage, recorder, number, prevKv } = this.#parts;
    const member = stage.members[this.#place++ % stage.members.length] as string;
    const watch = recorder.watch({
      client: 1_000 + number,
      member,
      callUs: recorder.nowUs(),
      range: { key: first, end },
      revision: this.#nextRevision,
      prevKv,
      progressNotify: false,
      filters: [],
    });
    this.#connection = stage.connect(member);
    let isEnded = false;
    const ended = (): void => {
      if (isEnded) return;
      isEnded = true;
      this.#resume();
    };
    this.#stream = this.#connection.stream(watchPath, {
      message: (bytes) => {
        if (!isEnded && this.#received(watch, WatchResponse.decode(bytes))) ended();
      },
      ended,
    });
    this.#stream.write(watchCreateRequest(watch));
  }

  /** Takes an answer. Returns true if this watch is over. */
  #received(watch: OpenWatch, response: WatchResponse): boolean {
    const revision = Number(response.header?.revision ?? 0n);
    const events = response.events.map((event) => abbreviated(eventOf(event)));
    const compactRevision = Number(response.compact_revision);
    watch.responses.push({
      ...{ atUs: this.#parts.recorder.nowUs(), revision, events },
      ...(response.created ? { created: true } : {}),
      ...(response.canceled ? { canceled: true } : {}),
      ...(compactRevision > 0 ? { compactRevision } : {}),
      ...(response.fragment ? { fragment: true } : {}),
    });
    const last = events.at(-1);
    if (last !== undefined) this.#nextRevision = Math.max(this.#nextRevision, last.mod + 1);
    else if (!response.created && !response.canceled) {
      // A progress answer: this client has seen everything up to its revision.
      this.#nextRevision = Math.max(this.#nextRevision, revision + 1);
    }
    if (response.canceled && compactRevision > 0) this.#nextRevision = compactRevision;
    return response.canceled;
  }

  #resume(): void {
    this.#stream?.cancel();
    this.#connection?.close();
    this.#parts.clock.after(resumeMs, () => this.#connect());
  }

  #askForProgress(): void {
    this.#parts.clock.after(progressMs, () => {
      if (this.#isOver) return;
      this.#stream?.write(watchProgressRequest);
      this.#askForProgress();
    });
  }
}
