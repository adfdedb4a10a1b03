/**
 * Calls of simulated clients to a member's services, without a transport but with a transport's
 * behaviour. Requests and answers take time, a dead member answers nothing and its connections
 * break, a client gives up after a while. No fault of the peers' network affects clients.
 */
import { Code } from "../../../base/errors.js";
import type { MessagePieces, Method, Status, StreamCall, UnaryCall } from "../../../grpc/call.js";
import type { ClientCertificate } from "../../../grpc/client-certificate.js";
import type { Dice } from "../plan/dice.js";
import type { SimClock } from "../platform/sim-clock.js";
import type { SimNode } from "../sim-node.js";

/** The protobuf body of the answer, or the status with which the call failed. */
export type SimCallResult = Uint8Array | Status;

/** What a call brings to prove who calls. */
export interface Credentials {
  readonly token?: string;
  /** The common name of the client's certificate. */
  readonly commonName?: string;
}

export interface CallTarget {
  readonly node: SimNode;
  readonly path: string;
  /** Absent: the transport's own credentials. */
  readonly credentials?: Credentials;
}

/** For checks: what happens inside the member. */
export interface CallWatcher {
  /** The service gets the call. */
  began?(): void;
  /** The service answers, or sends a message on a stream. */
  told?(message: Uint8Array): void;
}

const broken: Status = { code: Code.unavailable, message: "connection lost" };
const givenUp: Status = { code: Code.deadlineExceeded, message: "context deadline exceeded" };

interface Outstanding {
  readonly node: SimNode;
  readonly life: number;
  broke(): void;
}

export interface ServiceEvents {
  /** Called when a service threw an error. */
  failed(node: SimNode, error: Error): void;
  served(node: SimNode, path: string): void;
}

export class ClientTransport {
  readonly #clock: SimClock;
  readonly #dice: Dice;
  readonly #told: ServiceEvents;
  readonly #outstanding = new Set<Outstanding>();
  readonly #credentials: Credentials;
  #calls = 0;

  /** `credentials`: of all calls that bring none of their own. */
  constructor(
    clock: SimClock,
    dice: Dice,
    told: ServiceEvents & { readonly credentials?: Credentials },
  ) {
    this.#clock = clock;
    this.#dice = dice;
    this.#told = told;
    this.#credentials = told.credentials ?? {};
  }

  /** `done` is called once. A request that never left also ends with `broken`. */
  unary(
    to: CallTarget & CallWatcher & { readonly patienceMs: number },
    request: Uint8Array,
    done: (result: SimCallResult) => void,
  ): void {
    const { node, credentials = this.#credentials } = to;
    const { commonName } = credentials;
    const number = ++this.#calls;
    let isOver = false;
    const cancels: (() => void)[] = [];
    const finish = (result: SimCallResult): void => {
      if (isOver) return;
      isOver = true;
      this.#outstanding.delete(call);
      timer.cancel();
      done(result);
    };
    const call: Outstanding = { node, life: node.life, broke: () => finish(broken) };
    this.#outstanding.add(call);
    const timer = this.#clock.at(to.patienceMs, () => {
      finish(givenUp);
      if (node.life === call.life) for (const cancel of cancels) cancel();
    });
    const answer = (told: SimCallResult): void => {
      if (told instanceof Uint8Array) {
        this.#told.served(node, to.path);
        to.told?.(told);
      }
      // No member can know yet that this is wrong, so clients do not get it and no check judges it.
      const result = node.isWrong ? broken : told;
      this.#clock.afterUs(this.#latencyUs(node, number, 2), () => finish(result));
    };
    const unary: UnaryCall = {
      metadata: (name) => (name === "token" ? credentials.token : undefined),
      certificate: commonName === undefined ? undefined : { commonName },
      timeoutMs: to.patienceMs,
      isOver: false,
      respond: answer,
      respondInPieces: (message) => answer(joined(message)),
      fail: answer,
      onCancel: (fn) => cancels.push(fn),
    };
    this.#clock.afterUs(
      this.#latencyUs(node, number, 1),
      () => {
        const method = node.life === call.life ? node.methods.get(to.path) : undefined;
        if (method?.kind !== "unary") answer(broken);
        else {
          to.began?.();
          this.#guarded(node, () => method.handle(request, unary));
        }
      },
      node.place,
    );
  }

  /** Opens a stream to a running node. */
  stream(to: CallTarget & CallWatcher, events: StreamEvents): SimStream {
    const { node, path, credentials = this.#credentials } = to;
    const stream = new SimStream(this.#clock, { ...events, credentials }, (draw) =>
      this.#latencyUs(node, stream.number, draw),
    );
    stream.number = ++this.#calls;
    stream.whenTold = (message) => {
      this.#told.served(node, path);
      to.told?.(message);
    };
    const life = node.life;
    const entry = { node, life, broke: () => stream.broke(broken) };
    this.#outstanding.add(entry);
    stream.whenOver = () => this.#outstanding.delete(entry);
    this.#clock.afterUs(
      this.#latencyUs(node, stream.number, 1),
      () => {
        const method: Method | undefined = node.life === life ? node.methods.get(path) : undefined;
        if (method === undefined || method.kind === "unary") stream.broke(broken);
        else this.#guarded(node, () => stream.connect(node, method.handle));
      },
      node.place,
    );
    return stream;
  }

  /** A life of this node has ended: its connections break. */
  nodeEnded(node: SimNode): void {
    for (const call of [...this.#outstanding]) {
      if (call.node === node) this.#clock.afterUs(500, () => call.broke());
    }
  }

  /** An error that a service throws ends the member, as it ends a real one. */
  #guarded(node: SimNode, fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.#told.failed(node, error as Error);
    }
  }

  #latencyUs(node: SimNode, number: number, draw: number): number {
    return 50 + this.#dice.int(1_500, node.place, number, draw);
  }
}

export interface StreamEvents {
  message(bytes: Uint8Array): void;
  /** The last call. */
  ended(status: Status | undefined): void;
}

/**
 * Number of messages that may wait for a client that does not read, before the member is told to
 * stop.
 */
const windowMessages = 4;

/**
 * A bidirectional stream, seen from both ends: in order, with a window for the member's messages.
 */
export class SimStream implements StreamCall {
  readonly timeoutMs = undefined;
  number = 0;
  whenOver: () => void = () => {};
  whenTold: (message: Uint8Array) => void = () => {};
  readonly certificate: ClientCertificate | undefined;
  readonly #clock: SimClock;
  readonly #events: StreamEvents;
  readonly #token: string | undefined;
  readonly #latencyUs: (draw: number) => number;
  readonly #toMember: Uint8Array[] = [];
  readonly #unread: Uint8Array[] = [];
  #node: SimNode | undefined;
  #life = 0;
  #draws = 10;
  #lastUs = 0;
  #isReading = true;
  #isOver = false;
  #onMessage: ((bytes: Uint8Array) => void) | undefined;
  #onDrain: (() => void)[] = [];
  #onCancel: (() => void)[] = [];
  #onHalfClose: (() => void)[] = [];
  #isFull = false;

  constructor(
    clock: SimClock,
    events: StreamEvents & { readonly credentials: Credentials },
    latencyUs: (draw: number) => number,
  ) {
    this.#clock = clock;
    this.#events = events;
    this.#token = events.credentials.token;
    const { commonName } = events.credentials;
    this.certificate = commonName === undefined ? undefined : { commonName };
    this.#latencyUs = latencyUs;
  }

  // The client's side.

  write(bytes: Uint8Array): void {
    this.#toMember.push(bytes);
    const node = this.#node;
    if (node !== undefined) this.#atMember(() => this.#flush());
  }

  /** Stops and starts reading: unread messages fill the window. */
  setReading(isReading: boolean): void {
    this.#isReading = isReading;
    if (!isReading || this.#isOver) return;
    for (const bytes of this.#unread.splice(0)) this.#events.message(bytes);
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#atMember(() => {
      for (const fn of this.#onDrain) fn();
    });
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#over();
    this.#atMember(() => {
      for (const fn of this.#onCancel) fn();
    });
  }

  broke(status: Status): void {
    if (this.#isOver) return;
    this.#over();
    this.#events.ended(status);
  }

  connect(node: SimNode, handle: (call: StreamCall) => void): void {
    if (this.#isOver) return;
    this.#node = node;
    this.#life = node.life;
    handle(this);
    this.#flush();
  }

  // The member's side.

  metadata(name: string): string | undefined {
    return name === "token" ? this.#token : undefined;
  }

  send(message: Uint8Array): boolean {
    if (this.#node?.isWrong === true) {
      this.#breakOff();
      return true;
    }
    this.whenTold(message);
    this.#toClient(() => {
      if (this.#isOver) return;
      if (this.#isReading) this.#events.message(message);
      else this.#unread.push(message);
    });
    this.#isFull = !this.#isReading && this.#unread.length >= windowMessages;
    return !this.#isFull;
  }

  end(): void {
    this.#toClient(() => this.broke(broken));
  }

  fail(status: Status): void {
    this.#toClient(() => this.broke(status));
  }

  onMessage(fn: (message: Uint8Array) => void): void {
    this.#onMessage = fn;
  }

  onDrain(fn: () => void): void {
    this.#onDrain.push(fn);
  }

  onCancel(fn: () => void): void {
    this.#onCancel.push(fn);
  }

  onHalfClose(fn: () => void): void {
    this.#onHalfClose.push(fn);
  }

  #flush(): void {
    for (const bytes of this.#toMember.splice(0)) this.#onMessage?.(bytes);
  }

  /** Ends the call as `cancel` and `broke` do together. */
  #breakOff(): void {
    this.end();
    this.#atMember(() => {
      for (const fn of this.#onCancel) fn();
    });
  }

  #over(): void {
    this.#isOver = true;
    this.whenOver();
  }

  #atMember(fn: () => void): void {
    const node = this.#node;
    if (node === undefined) return;
    const life = this.#life;
    const run = (): void => {
      if (node.life === life) fn();
    };
    this.#clock.afterUs(this.#latencyUs(++this.#draws), run, node.place);
  }

  /** Hands answers over in order: no answer overtakes another. */
  #toClient(fn: () => void): void {
    const nowUs = this.#clock.nowUs();
    this.#lastUs = Math.max(this.#lastUs + 1, nowUs + this.#latencyUs(++this.#draws));
    this.#clock.afterUs(this.#lastUs - nowUs, fn);
  }
}

/** The network of the simulator takes an answer whole. */
function joined(message: MessagePieces): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let part = message.next(); part !== undefined; part = message.next()) parts.push(part);
  message.close();
  return Buffer.concat(parts);
}
