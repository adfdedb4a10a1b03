/**
 * A small cluster whose members go wrong, step by step: it writes, reads at every member all the
 * time, and remembers acknowledged writes, wrong answers and their times.
 */

import { expect } from "vitest";
import { KvError } from "../../base/errors.js";
import type { UnaryCall } from "../../grpc/call.js";
import type { MemberConfig } from "../../member/config.js";
import { noClient } from "../../member/gate/requests.js";
import type { RunningMember } from "../../member/member.js";
import { PutRequest, RangeRequest, RangeResponse } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { misapplyNext } from "./misapply.js";
import { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

export interface WrongAnswer {
  readonly node: SimNode;
  readonly atMs: number;
  readonly key: string;
}

const emptyRange = RangeRequest.decode(new Uint8Array(0));
const emptyPut = PutRequest.decode(new Uint8Array(0));

export class Story {
  readonly cluster: SimCluster;
  /** Revision by key; the value is "v:" and the key. */
  readonly acked = new Map<string, number>();
  readonly logs: { readonly node: SimNode; readonly text: string; readonly atMs: number }[] = [];
  readonly wrong: WrongAnswer[] = [];
  /** Right answers by node. */
  readonly answers = new Map<SimNode, number>();
  /** Called after each event of a node. */
  onStep: (node: SimNode) => void = () => {};
  onLog: (node: SimNode, text: string) => void = () => {};
  #written = 0;

  constructor(options: { members?: number; seed?: number; config?: Partial<MemberConfig> } = {}) {
    const { members = 3, seed = 5 } = options;
    this.cluster = new SimCluster({
      ...{ seed, members },
      config: { snapshotCatchupEntries: 50, snapshotCount: 100, ...options.config },
      observer: {
        stepped: (node) => this.onStep(node),
        logged: (node, _level, message, fields) => {
          const error = fields?.reason ?? fields?.error ?? fields?.difference ?? "";
          const text = `${message} ${String(error)}`;
          this.logs.push({ node, text, atMs: this.cluster.clock.now() });
          this.onLog(node, text);
        },
      },
    });
    this.cluster.startAll();
    this.until(() => this.cluster.nodes.every((node) => node.member?.isReady() === true));
  }

  until(holds: () => boolean, ms = 20_000): void {
    expect(this.cluster.clock.runUntil(holds, ms)).toBe(true);
  }

  leader(): SimNode {
    this.until(() => this.cluster.leader() !== undefined);
    return this.cluster.leaderNode() as SimNode;
  }

  /** The first node that is none of these and does not lead. */
  follower(...not: readonly SimNode[]): SimNode {
    const leader = this.leader();
    const isFree = (node: SimNode) => node !== leader && node.state === "up" && !not.includes(node);
    return this.cluster.nodes.find(isFree) as SimNode;
  }

  others(...not: readonly SimNode[]): SimNode[] {
    return this.cluster.nodes.filter((node) => !not.includes(node));
  }

  /** One put through a member that serves. */
  put(): void {
    const key = `k${this.#written++}`;
    const put = { ...emptyPut, key: Buffer.from(key), value: Buffer.from(`v:${key}`) };
    const body = PutRequest.encode(put).finish();
    const isSound = (member: RunningMember): boolean => member.integrityRefusal() === undefined;
    const request = { field: RequestField.put, body, growthBytes: 0, client: noClient };
    const proposer = this.cluster.members().find(isSound);
    proposer?.write("/etcdserverpb.KV/Put", request, (applied) => {
      if (applied instanceof KvError || applied.outcome instanceof KvError) return;
      this.acked.set(key, applied.revision);
    });
  }

  /** Returns the number of acknowledged writes; reads everywhere in between. */
  write(count: number, everyMs = 30): number {
    const before = this.acked.size;
    for (let round = 0; round < count; round++) {
      this.put();
      this.cluster.clock.run(everyMs);
      this.readEverywhere();
    }
    return this.acked.size - before;
  }

  /** Runs for a while and reads at every member meanwhile, linearizably and locally. */
  pass(ms: number): void {
    const endMs = this.cluster.clock.now() + ms;
    while (this.cluster.clock.now() < endMs) {
      this.readEverywhere();
      this.cluster.clock.run(10);
    }
  }

  readEverywhere(): void {
    const keys = [...this.acked.keys()].slice(-3);
    for (const node of this.cluster.nodes) {
      for (const key of keys) for (const isLocal of [true, false]) this.#read(node, key, isLocal);
    }
  }

  wrongSince(atMs: number): readonly WrongAnswer[] {
    return this.wrong.filter((answer) => answer.atMs > atMs);
  }

  told(node: SimNode, text: string): boolean {
    return this.logs.some((line) => line.node === node && line.text.includes(text));
  }

  /** From now on this member applies the next put wrongly; returns when that happened. */
  misapply(node: SimNode): { readonly atMs: () => number; readonly index: () => number } {
    let atMs = Number.NaN;
    let index = Number.NaN;
    misapplyNext(node, (entry) => {
      atMs = this.cluster.clock.now();
      index = entry.index;
    });
    return { atMs: () => atMs, index: () => index };
  }

  /** Turns the power off, harms the disk, and turns the power on. */
  whileOff(node: SimNode, happens: (backend: string) => void): void {
    const backend = node.member?.probe.stateName() as string;
    this.cluster.crash(node);
    happens(backend);
    this.cluster.start(node);
  }

  /** Waits until everything that was applied is durable everywhere. */
  durable(): void {
    this.until(() =>
      this.cluster
        .members()
        .every(({ probe, machine }) => probe.durableIndex() === machine.appliedIndex),
    );
  }

  /** All members have one state again, serve, and have every acknowledged write. */
  healed(ms = 20_000): void {
    const { nodes } = this.cluster;
    const standing = nodes.filter(({ state }) => state !== "wiped");
    this.until(() => standing.every((node) => node.isServing()), ms);
    this.write(3);
    const members = standing.flatMap(({ member }) => member ?? []);
    expect(members).toHaveLength(standing.length);
    this.until(() => new Set(members.map(({ machine }) => machine.appliedIndex)).size === 1);
    const roots = members.map(({ machine }) => Buffer.from(machine.digests().root).toString("hex"));
    expect(new Set(roots).size).toBe(1);
    expect(members[0]?.machine.alarms()).toEqual([]);
    const before = this.wrong.length;
    for (const key of this.acked.keys()) this.#read(standing[0] as SimNode, key, true);
    expect(this.wrong).toHaveLength(before);
    for (const [key, revision] of this.acked) {
      expect(members[0]?.machine.kv.kvAt(Buffer.from(key), revision), key).toBeDefined();
    }
  }

  #read(node: SimNode, key: string, isLocal: boolean): void {
    const method = node.methods.get("/etcdserverpb.KV/Range");
    if (method?.kind !== "unary" || this.cluster.clock.isPaused(node.place)) return;
    const request = { ...emptyRange, key: Buffer.from(key), serializable: isLocal };
    const call: UnaryCall = {
      metadata: () => undefined,
      isOver: false,
      timeoutMs: 5_000,
      onCancel: () => {},
      fail: () => {},
      respondInPieces: (message) => message.close(),
      respond: (bytes) => {
        const value = RangeResponse.decode(bytes).kvs[0]?.value;
        // A lagging member does not have it yet, if a client asks for its local data.
        if (value === undefined && isLocal) return;
        if (Buffer.from(value ?? []).toString() !== `v:${key}`) {
          this.wrong.push({ node, atMs: this.cluster.clock.now(), key });
        } else this.answers.set(node, (this.answers.get(node) ?? 0) + 1);
      },
    };
    method.handle(RangeRequest.encode(request).finish(), call);
  }
}
