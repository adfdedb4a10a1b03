/**
 * A whole cluster in one thread under virtual time: the production member on a simulated disk,
 * backend, clock and network. Everything that happens follows from the seed. Members crash and come
 * back with what their disks kept; after every apply the cluster's members are held to one history.
 */
import { invariant } from "../../base/invariant.js";
import { defaultMemberConfig, type MemberConfig } from "../../member/config.js";
import type { RunningMember } from "../../member/member.js";
import { decodeEnvelope } from "../../member/peer-codec.js";
import { startMember } from "../../member/start.js";
import type { Hash } from "../../platform/hash.js";
import type { Platform } from "../../platform/platform.js";
import type { Rng } from "../../platform/rng.js";
import { decodeMessage } from "../../raft/message-codec.js";
import { createMemoryBackendStore, type MemoryBackendStore } from "./memory-backend.js";
import { MemoryDisk } from "./memory-disk.js";
import { MemoryNetwork } from "./memory-network.js";
import { createSeededRng } from "./seeded-rng.js";
import { SimClock } from "./sim-clock.js";

export interface SimOptions {
  readonly seed: number;
  readonly members: number;
  readonly hash: Hash;
  readonly config?: Partial<MemberConfig>;
}

/** One place where a member lives: what a crash leaves behind, and the life on it. */
interface Node {
  readonly name: string;
  readonly peerUrl: string;
  readonly config: MemberConfig;
  disk: MemoryDisk;
  backends: MemoryBackendStore;
  member: RunningMember | undefined;
  life: number;
  starts: number;
  failure: Error | undefined;
}

export class SimCluster {
  readonly clock = new SimClock();
  readonly rng: Rng;
  readonly network: MemoryNetwork;
  readonly nodes: Node[] = [];
  readonly trace: string[] = [];
  readonly #hash: Hash;
  /** Root digest at each index, as the first member to apply it had it: the law across members. */
  readonly #rootAt = new Map<number, string>();

  constructor(options: SimOptions) {
    this.rng = createSeededRng(options.seed);
    this.#hash = options.hash;
    this.network = new MemoryNetwork(this.clock, this.rng.fork("network"), mayRepeat);
    const names = Array.from({ length: options.members }, (_, place) => `m${place + 1}`);
    const initialCluster = names.map((name) => ({ name, peerUrls: [`http://${name}:2380`] }));
    for (const name of names) this.addNode(name, { ...options.config, initialCluster });
  }

  addNode(
    name: string,
    config: Partial<MemberConfig> & Pick<MemberConfig, "initialCluster">,
  ): Node {
    const peerUrl = `http://${name}:2380`;
    const node: Node = {
      name,
      peerUrl,
      config: {
        ...defaultMemberConfig,
        walSegmentBytes: 64 * 1024,
        name,
        advertisePeerUrls: [peerUrl],
        advertiseClientUrls: [`http://${name}:2379`],
        ...config,
      },
      disk: new MemoryDisk(() => {}),
      backends: createMemoryBackendStore({ defer: () => {} }),
      member: undefined,
      life: 0,
      starts: 0,
      failure: undefined,
    };
    this.nodes.push(node);
    return node;
  }

  /** Starts a node on what its last life left. */
  start(node: Node): void {
    invariant(node.member === undefined, "a node is started twice");
    const life = ++node.life;
    node.starts++;
    node.failure = undefined;
    const isAlive = (): boolean => node.life === life;
    const fork = this.rng.fork(`${node.name}/${life}`);
    const latency = fork.fork("latency");
    const clock = this.clock.view(isAlive, 0.99 + fork.int(21) / 1000);
    const later = (fn: () => void): void => {
      clock.after(latency.int(4), fn);
    };
    node.disk = node.disk.crashed(fork.fork("disk"), later);
    const images = node.backends.crashImages();
    const image = images[fork.int(images.length)];
    node.backends = createMemoryBackendStore(
      image === undefined ? { defer: later } : { defer: later, image },
    );
    const platform: Platform = {
      clock,
      rng: fork,
      hash: this.#hash,
      disk: node.disk,
      backends: node.backends,
      connect: (handler) =>
        this.network.connect(node.peerUrl, {
          ...handler,
          received: (from, bytes) => {
            if (isAlive()) handler.received(from, bytes);
          },
        }),
      log: (level, message) => {
        this.trace.push(`${Math.round(this.clock.now())} ${node.name} ${level} ${message}`);
      },
    };
    startMember(platform, node.config, (result) => {
      if (!isAlive()) return;
      if (result instanceof Error) {
        node.failure = result;
        this.trace.push(`${Math.round(this.clock.now())} ${node.name} failed ${result.message}`);
        return;
      }
      node.member = result;
      result.onStopped(({ error }) => {
        node.failure = error;
      });
    });
  }

  startAll(): void {
    for (const node of this.nodes) this.start(node);
  }

  /** Power off: nothing of this life happens any more; the disk keeps what it keeps. */
  crash(node: Node): void {
    this.trace.push(`${Math.round(this.clock.now())} ${node.name} crash`);
    node.life++;
    const { member } = node;
    node.member = undefined;
    if (member !== undefined) this.network.silence(member.id);
    node.backends.crash();
  }

  /** Cuts the members into two groups that do not hear each other. */
  partition(side: readonly Node[]): void {
    const inside = new Set(side.map((node) => node.member?.id));
    for (const a of this.members()) {
      for (const b of this.members()) {
        if (inside.has(a.id) !== inside.has(b.id)) this.network.cut(a.id, b.id);
      }
    }
  }

  members(): RunningMember[] {
    return this.nodes.flatMap((node) => (node.member === undefined ? [] : [node.member]));
  }

  leader(): RunningMember | undefined {
    return this.members().find((member) => member.leader() === member.id);
  }

  /** Holds every running member to one history: equal index, equal state. */
  checkStates(): void {
    for (const node of this.nodes) {
      if (node.failure !== undefined) throw node.failure;
      const machine = node.member?.machine;
      if (machine === undefined || machine.appliedIndex === 0) continue;
      const { index, root } = machine.digests();
      const text = Array.from(root, (byte) => byte.toString(16).padStart(2, "0")).join("");
      const known = this.#rootAt.get(index);
      invariant(known === undefined || known === text, "members differ at an index", () => ({
        node: node.name,
        index,
      }));
      this.#rootAt.set(index, text);
    }
  }
}

/**
 * TCP does not deliver twice. Raft must bear a repeated message all the same; only a repeated
 * forwarded proposal is another proposal, which nobody could tell from the first.
 */
function mayRepeat(bytes: Uint8Array): boolean {
  const envelope = decodeEnvelope(bytes);
  if (envelope?.kind !== "raft") return true;
  return decodeMessage(envelope.message).type !== "MsgProp";
}
