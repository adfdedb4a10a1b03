/**
 * A whole cluster in one thread under virtual time: the production member on a simulated disk,
 * backend, clock and network. The seed decides everything that happens. This file makes nodes,
 * starts and ends their lives; faults, clients and checks build on it.
 */

import { allMethods } from "../../api/services.js";
import { invariant } from "../../base/invariant.js";
import type { LogFields } from "../../log/log.js";
import { defaultMemberConfig, type MemberConfig } from "../../member/config.js";
import type { RunningMember } from "../../member/member.js";
import { startMember } from "../../member/start.js";
import type { Platform } from "../../platform/platform.js";
import type { Entry } from "../../raft/types.js";
import type { BeginApply } from "../../state/apply.js";
import type { Applied, MachineReader } from "../../state/types.js";
import { Dice } from "./plan/dice.js";
import { createMemoryBackendStore } from "./platform/memory-backend.js";
import type { StoreImage } from "./platform/memory-backend-file.js";
import { MemoryDisk } from "./platform/memory-disk.js";
import { fairWeather, MemoryNetwork, type NetworkWeather } from "./platform/memory-network.js";
import { SimClock } from "./platform/sim-clock.js";
import { simHash } from "./platform/sim-hash.js";
import { createSimPasswords } from "./platform/sim-passwords.js";
import { reportingApply } from "./reporting-apply.js";
import { SimNode } from "./sim-node.js";

/** Hooks for checks and traces; each call comes inside the event that it is about. */
export interface ClusterObserver {
  /** An event of this node has run. */
  stepped(node: SimNode): void;
  /** An event of the world itself (a client, a fault) has run. */
  worldStepped(): void;
  /** Before a life begins: the disk is as the last life left it. */
  starting(node: SimNode): void;
  started(node: SimNode): void;
  /** A life has ended; `failure` of the node says why if it was an error. */
  ended(node: SimNode, how: "power" | "kill" | "stop" | "error"): void;
  /** Returns a number that pairs the message with its arrival. */
  sent(from: SimNode, to: bigint, bytes: Uint8Array): number;
  arrived(to: SimNode | undefined, message: number, how: "delivered" | "dropped"): void;
  synced(node: SimNode, what: "wal" | "backend"): void;
  /** The applier has applied an entry to the state in use. */
  applied(node: SimNode, machine: MachineReader, entry: Entry, applied: Applied): void;
  logged(node: SimNode, level: string, message: string, fields?: LogFields): void;
}

export interface SimOptions {
  readonly seed: number;
  readonly members: number;
  readonly config?: Partial<MemberConfig>;
  readonly weather?: NetworkWeather;
  /** How long a sync takes, in microseconds: from and to. */
  readonly syncUs?: readonly [number, number];
  readonly driftPerMille?: number;
  readonly observer?: Partial<ClusterObserver>;
}

const noObserver: ClusterObserver = {
  stepped: () => {},
  worldStepped: () => {},
  starting: () => {},
  started: () => {},
  ended: () => {},
  sent: () => 0,
  arrived: () => {},
  synced: () => {},
  applied: () => {},
  logged: () => {},
};

/** The files of a node at one moment: the disk, and the backends unless it had none. */
export interface DiskCopy {
  readonly disk: MemoryDisk;
  readonly backends: StoreImage | undefined;
}

export class SimCluster {
  readonly clock = new SimClock();
  readonly dice: Dice;
  readonly network: MemoryNetwork;
  readonly nodes: SimNode[] = [];
  readonly observer: ClusterObserver;
  /** A hash of all events so far, in order: two runs of one plan have the same. */
  traceHash = 0;
  readonly #options: SimOptions;

  constructor(options: SimOptions) {
    this.#options = options;
    this.dice = new Dice(options.seed);
    this.observer = { ...noObserver, ...options.observer };
    this.network = new MemoryNetwork(
      {
        clock: this.clock,
        dice: this.dice.fork("network"),
        watcher: {
          sent: (from, to, bytes) => {
            this.#hash(bytes.length + 3);
            return this.observer.sent(this.nodes[from] as SimNode, to, bytes);
          },
          delivered: (to, message) => this.observer.arrived(this.nodes[to], message, "delivered"),
          dropped: (to, message) => this.observer.arrived(this.nodes[to], message, "dropped"),
        },
      },
      options.weather ?? fairWeather,
    );
    this.clock.onStep = (owner) => {
      this.#hash(owner);
      const node = this.nodes[owner];
      if (node === undefined) this.observer.worldStepped();
      else if (node.state !== "wiped") this.observer.stepped(node);
    };
    const names = Array.from({ length: options.members }, (_, place) => `m${place + 1}`);
    const initialCluster = names.map((name) => ({ name, peerUrls: [`http://${name}:2380`] }));
    for (const name of names) this.addNode(name, { initialCluster });
  }

  addNode(
    name: string,
    config: Partial<MemberConfig> & Pick<MemberConfig, "initialCluster">,
  ): SimNode {
    const place = this.nodes.length;
    const drift = this.#options.driftPerMille ?? 10;
    const rate = 1 + (this.dice.fork("drift").int(2 * drift + 1, place) - drift) / 1000;
    const node = new SimNode(name, place, {
      skew: { rate, wallOffsetMs: 0 },
      config: {
        ...defaultMemberConfig,
        walSegmentBytes: 64 * 1024,
        name,
        advertisePeerUrls: [`http://${name}:2380`],
        advertiseClientUrls: [`http://${name}:2379`],
        ...this.#options.config,
        ...config,
      },
    });
    const io = this.#io(node);
    node.disk = new MemoryDisk(io("wal"));
    node.backends = createMemoryBackendStore({ defer: io("backend") });
    this.nodes.push(node);
    return node;
  }

  /** Starts a node on the disk that its last life left. */
  start(node: SimNode): void {
    invariant(node.state === "down", "a node is started that is not down");
    node.state = "starting";
    const { wantedVersion } = node;
    if (wantedVersion !== undefined) {
      node.config = { ...node.config, serverVersion: wantedVersion };
    }
    node.failure = undefined;
    // A start reads and checks every row.
    node.isHiddenDamage = false;
    const life = ++node.life;
    const isAlive = (): boolean => node.life === life;
    this.observer.starting(node);
    const clock = this.clock.view(node.place, node.skew, isAlive);
    const platform: Platform = {
      clock,
      rng: this.dice.fork("node").fork(node.name).fork(life).sequence(),
      hash: simHash,
      disk: node.disk,
      backends: node.backends,
      passwords: createSimPasswords(clock),
      signer: undefined,
      connect: (handler) =>
        this.network.connect(
          { owner: node.place, peerUrl: node.peerUrl, nowMs: () => clock.now(), isAlive },
          {
            ...handler,
            received: (from, bytes) => {
              if (isAlive()) handler.received(from, bytes);
            },
          },
        ),
      log: (level, message, fields) => this.observer.logged(node, level, message, fields),
    };
    node.applyBugs = [];
    const begin = reportingApply((...applied) => this.observer.applied(node, ...applied));
    const withBugs: BeginApply = (machine, entry, way) => {
      const changed = node.applyBugs.reduce((read, bug) => bug(machine, read), entry);
      return begin(machine, changed, way);
    };
    const started = (result: RunningMember | Error): void => {
      if (!isAlive()) return;
      if (result instanceof Error) {
        this.#failed(node, result);
        return;
      }
      node.member = result;
      node.memberId = result.id;
      node.state = "up";
      result.onReady(() => {
        node.hasServed = true;
      });
      node.methods = new Map(allMethods(result, simHash).map((method) => [method.path, method]));
      result.onStopped(({ error, removed }) => {
        if (isAlive()) this.#stopped(node, removed, error);
      });
      this.observer.started(node);
    };
    startMember(platform, node.config, started, withBugs);
  }

  startAll(): void {
    for (const node of this.nodes) if (node.state === "down") this.start(node);
  }

  /** Ends a life: none of its callbacks run any more; the disk keeps what `mode` says. */
  crash(node: SimNode, mode: "power" | "kill" = "power"): void {
    if (node.state === "down" || node.state === "wiped") return;
    this.observer.ended(node, mode);
    this.#end(node, mode);
  }

  /** Asks the member to stop; `ended` is told when it has. */
  stop(node: SimNode): void {
    if (node.state !== "up") return;
    node.state = "stopping";
    node.member?.stop(() => {});
  }

  /** An error outside of the member's own turns ends it too. */
  fail(node: SimNode, error: Error): void {
    if (node.state === "up" || node.state === "stopping") this.#failed(node, error);
  }

  /** Removes everything that the node had on its disk; it can be started again. */
  loseDisk(node: SimNode): void {
    this.crash(node);
    const io = this.#io(node);
    node.disk = new MemoryDisk(io("wal"));
    node.backends = createMemoryBackendStore({ defer: io("backend") });
  }

  /** The least that a power failure of this node now would leave. */
  copyDisk(node: SimNode): DiskCopy {
    return { disk: node.disk.durableImage(), backends: node.backends.crashImages()[0] };
  }

  /** Replaces the disk of a node that is down by a copy. */
  restoreDisk(node: SimNode, { disk, backends }: DiskCopy): void {
    invariant(node.state === "down", "a disk is restored under a running node");
    const io = this.#io(node);
    node.disk = disk.orphaned(io("wal"));
    node.backends = createMemoryBackendStore({
      defer: io("backend"),
      ...(backends === undefined ? {} : { image: backends }),
    });
  }

  /** The node is gone for good. */
  wipe(node: SimNode): void {
    this.crash(node);
    node.state = "wiped";
    node.life++;
  }

  members(): RunningMember[] {
    return this.nodes.flatMap((node) => (node.member === undefined ? [] : [node.member]));
  }

  /** The leader of the highest term, if it is running. */
  leaderNode(): SimNode | undefined {
    let found: SimNode | undefined;
    for (const node of this.nodes) {
      const { member } = node;
      if (member === undefined || member.leader() !== member.id) continue;
      if (found === undefined || member.term() > (found.member?.term() ?? 0)) found = node;
    }
    return found;
  }

  leader(): RunningMember | undefined {
    return this.leaderNode()?.member;
  }

  nodeOf(id: bigint): SimNode | undefined {
    return this.nodes.find((node) => node.member?.id === id);
  }

  #stopped(node: SimNode, _removed: boolean, error: Error | undefined): void {
    if (error !== undefined) {
      this.#failed(node, error);
      return;
    }
    this.observer.ended(node, "stop");
    this.#end(node, "kill");
  }

  #failed(node: SimNode, error: Error): void {
    node.failure = error;
    this.observer.ended(node, "error");
    this.#end(node, "kill");
  }

  #end(node: SimNode, mode: "power" | "kill"): void {
    const dice = this.dice.fork("crash").fork(node.name).fork(node.life);
    node.life++;
    node.member = undefined;
    node.methods = new Map();
    node.state = "down";
    this.clock.resume(node.place);
    this.network.silence(node.place);
    node.backends.crash();
    const images = node.backends.crashImages();
    const image = images[dice.int(images.length, 1)];
    const io = this.#io(node);
    node.backends = createMemoryBackendStore({
      defer: io("backend"),
      ...(image === undefined ? {} : { image }),
    });
    node.disk =
      mode === "power"
        ? node.disk.crashed(dice.sequence(), io("wal"))
        : node.disk.orphaned(io("wal"));
  }

  /** Delivers completions to a node: each after its own latency, none after the end of the life. */
  #io(node: SimNode): (what: "wal" | "backend") => (fn: () => void) => void {
    const plug = ++node.plugs;
    return (what) => (fn) => {
      const done = (): void => {
        if (node.plugs !== plug) return;
        fn();
        this.observer.synced(node, what);
      };
      this.clock.afterUs(this.#syncUs(node), done, node.place);
    };
  }

  #syncUs(node: SimNode): number {
    const [min, max] = this.#options.syncUs ?? [100, 4_000];
    const drawn = this.dice.fork("sync").int(max - min + 1, node.place, ++node.ioCount);
    return min + drawn + node.extraSyncMs * 1000;
  }

  #hash(value: number): void {
    this.traceHash =
      (Math.imul(this.traceHash ^ value ^ this.clock.nowUs(), 0x01000193) ^
        (this.traceHash >>> 15)) >>>
      0;
  }
}
