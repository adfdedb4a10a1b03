/**
 * Handles incoming connections until they prove their sender. It keeps only few of them, with
 * little memory, for a short time.
 *
 * A hello claims to come from a member. It is answered only when a nonce, sent to that member's
 * peer URL, has come back on the connection. Nothing else that the sender says is kept.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import type net from "node:net";
import type { NetworkHandler, RejectionReason } from "../../network.js";
import { serveClusterInfo } from "../cluster-query.js";
import { challenge } from "./challenge.js";
import type { PeerDialer } from "./dialer.js";
import {
  ChallengeAnswer,
  challengeMagic,
  decodeGreeting,
  type Greeting,
  HelloStatus,
  helloMagic,
  magicBytes,
  nonceBytes,
  queryMagic,
  recordBytesMax,
} from "./framing.js";
import { isHttp, PeerHttp } from "./http.js";
import type { CallbackFailed } from "./owned.js";

/** Milliseconds from the first byte to the proof, or to the end of an answer. */
const deadlineMs = 5_000;
/** With more connections the oldest is closed. A real member needs only some milliseconds. */
const perAddressMax = 64;
const totalMax = 256;
/** The most challenges to one id at a time. */
const challengesMax = 16;

export interface AdmissionParts {
  readonly handler: NetworkHandler;
  readonly dialer: PeerDialer;
  /** Called when a connection has proven that it belongs to this member. */
  proven(socket: net.Socket, id: bigint): void;
  /** Takes what the callback of a page throws. */
  readonly failed: CallbackFailed;
  /** Called when a peer asks whether this member has dialled it. */
  challenged(greeting: Greeting): boolean;
}

interface Candidate {
  readonly socket: net.Socket;
  readonly address: string;
  readonly deadline: NodeJS.Timeout;
}

export class PeerAdmission {
  readonly #parts: AdmissionParts;
  readonly #http: PeerHttp;
  /** Connections that have not proven their sender, oldest first. */
  readonly #candidates = new Map<net.Socket, Candidate>();
  readonly #challenges = new Map<bigint, number>();

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    this.#http = new PeerHttp(parts.handler, parts.failed);
  }

  accept(socket: net.Socket): void {
    const address = socket.remoteAddress ?? "";
    const deadline = setTimeout(() => socket.destroy(), deadlineMs);
    this.#candidates.set(socket, { socket, address, deadline });
    socket.on("close", () => this.#forget(socket));
    socket.on("error", () => socket.destroy());
    let head: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      if (this.#look(socket, head)) socket.off("data", onData);
    };
    socket.on("data", onData);
    this.#makeRoom(address);
  }

  close(): void {
    for (const { socket } of this.#candidates.values()) socket.destroy();
  }

  #forget(socket: net.Socket): void {
    clearTimeout(this.#candidates.get(socket)?.deadline);
    this.#candidates.delete(socket);
  }

  #makeRoom(address: string): void {
    const here = [...this.#candidates.values()].filter((other) => other.address === address);
    const all = this.#candidates.values();
    const oldest =
      here.length > perAddressMax
        ? here[0]
        : this.#candidates.size > totalMax
          ? all.next().value
          : undefined;
    if (oldest !== undefined) this.#refuse(oldest.socket, "too_many_connections", 0n);
  }

  /** True: the first bytes are handled. */
  #look(socket: net.Socket, head: Buffer): boolean {
    const start = head.toString("latin1", 0, magicBytes);
    const isPage = isHttp(start);
    if (isPage === true) {
      this.#http.accept(socket, head);
      return true;
    }
    if (start === queryMagic) {
      serveClusterInfo(socket, this.#parts.handler.clusterInfo());
      return true;
    }
    if (start === helloMagic || start === challengeMagic) {
      const decoded = decodeGreeting(head);
      if (decoded === "cut" && head.length <= magicBytes + 2 + recordBytesMax) return false;
      if (decoded === undefined || decoded === "cut") {
        this.#refuse(socket, "not_peer_protocol", 0n);
        return true;
      }
      const rest = head.subarray(decoded.bytes);
      if (start === challengeMagic) this.#answerChallenge(socket, decoded.greeting);
      else this.#greet(socket, decoded.greeting, rest);
      return true;
    }
    const mayBecome = (magic: string): boolean => magic.startsWith(start);
    if (isPage === "maybe" || [helloMagic, challengeMagic, queryMagic].some(mayBecome))
      return false;
    this.#refuse(socket, "not_peer_protocol", 0n);
    return true;
  }

  #answerChallenge(socket: net.Socket, greeting: Greeting): void {
    const { handler } = this.#parts;
    const isOurs =
      greeting.clusterId === handler.clusterId() &&
      greeting.to === handler.memberId() &&
      this.#parts.challenged(greeting);
    socket.end(Buffer.of(isOurs ? ChallengeAnswer.ours : ChallengeAnswer.notOurs));
  }

  #greet(socket: net.Socket, hello: Greeting, rest: Buffer): void {
    const { handler } = this.#parts;
    if (handler.clusterId() === 0n) {
      socket.end(Buffer.of(HelloStatus.notReady));
      return;
    }
    const { from } = hello;
    const fields = { "remote-cluster-id": hello.clusterId.toString(16) };
    if (hello.clusterId !== handler.clusterId()) {
      this.#refuse(socket, "other_cluster", from, HelloStatus.wrongCluster, fields);
    } else if (hello.to !== handler.memberId() || from === handler.memberId()) {
      const asked = { "asked-for-member-id": hello.to.toString(16) };
      this.#refuse(socket, "other_member", from, HelloStatus.wrongMember, asked);
    } else if (handler.isRemoved(from)) {
      this.#refuse(socket, "removed_member", from, HelloStatus.removed);
    } else this.#prove(socket, hello, rest);
  }

  /** Welcomes the other side once it has sent the nonce, which only the claimed member can know. */
  #prove(socket: net.Socket, hello: Greeting, rest: Buffer): void {
    const { from } = hello;
    if (rest.length > 0) {
      // These bytes came too early: the sender cannot know the nonce yet.
      this.#refuse(socket, "unproven_member", from, HelloStatus.unproven);
      return;
    }
    const running = this.#challenges.get(from) ?? 0;
    if (running >= challengesMax) {
      socket.end(Buffer.of(HelloStatus.notReady));
      return;
    }
    this.#challenges.set(from, running + 1);
    const nonce = randomBytes(nonceBytes);
    let located: readonly string[] | undefined;
    let brought: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      brought = Buffer.concat([brought, chunk]);
      if (brought.length < nonceBytes) return;
      socket.off("data", onData);
      if (brought.length === nonceBytes && timingSafeEqual(brought, nonce)) {
        this.#welcome(socket, hello, located);
      } else this.#refuse(socket, "unproven_member", from, HelloStatus.unproven);
    };
    socket.on("data", onData);
    this.#ask(
      { ...hello, nonce },
      {
        isOpen: () => !socket.destroyed && this.#candidates.has(socket),
        locatedAt: (urls) => {
          located = urls;
        },
        failed: (reason) => this.#refuse(socket, reason, from, HelloStatus.unproven),
        ended: () => {
          const left = (this.#challenges.get(from) ?? 1) - 1;
          if (left === 0) this.#challenges.delete(from);
          else this.#challenges.set(from, left);
        },
      },
    );
  }

  /**
   * Sends the nonce to the known addresses of the member. If that fails, sends it to those that
   * other members know.
   */
  #ask(
    hello: Greeting,
    of: {
      isOpen(): boolean;
      locatedAt(urls: readonly string[]): void;
      failed(reason: RejectionReason): void;
      /** Called once, when the challenge is over. */
      ended(): void;
    },
  ): void {
    const { handler, dialer } = this.#parts;
    const { from, to } = hello;
    const known = handler.peerUrls(from);
    const question = { ...hello, from: to, to: from, incarnation: 0n };
    const askOthers = (): void => {
      if (!of.isOpen()) {
        of.ended();
        return;
      }
      handler.locate(from, (urls) => {
        const isNews = urls !== undefined && urls.join() !== known?.join();
        if (!of.isOpen() || !isNews) {
          of.ended();
          if (of.isOpen()) of.failed(known === undefined ? "unknown_member" : "unproven_member");
          return;
        }
        of.locatedAt(urls);
        challenge(dialer, urls, question, (isTheirs) => {
          of.ended();
          if (!isTheirs && of.isOpen()) of.failed("unproven_member");
        });
      });
    };
    if (known === undefined) askOthers();
    else {
      challenge(dialer, known, question, (isTheirs) => {
        if (isTheirs) of.ended();
        else askOthers();
      });
    }
  }

  #welcome(socket: net.Socket, hello: Greeting, located: readonly string[] | undefined): void {
    const { handler } = this.#parts;
    const { from, incarnation } = hello;
    if (handler.isRemoved(from)) {
      this.#refuse(socket, "removed_member", from, HelloStatus.removed);
      return;
    }
    if (!handler.greeted(from, incarnation)) {
      this.#refuse(socket, "lost_data", from, HelloStatus.wrongIncarnation);
      return;
    }
    this.#forget(socket);
    if (located !== undefined) handler.located(from, located);
    socket.write(Buffer.of(HelloStatus.ok));
    this.#parts.proven(socket, from);
  }

  #refuse(
    socket: net.Socket,
    reason: RejectionReason,
    from: bigint,
    status?: HelloStatus,
    more: Readonly<Record<string, unknown>> = {},
  ): void {
    const remote = `${socket.remoteAddress}:${socket.remotePort}`;
    if (status === undefined) socket.destroy();
    else socket.end(Buffer.of(status));
    this.#parts.handler.rejected({ reason, from, fields: { "remote-addr": remote, ...more } });
  }
}
