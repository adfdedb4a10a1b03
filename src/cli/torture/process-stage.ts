/**
 * The members as processes of this machine, each with a folder and a log file, and with relays in
 * front of its ports if the network is to be harmed. When this process ends, for any reason but
 * SIGKILL, its members are killed, paused ones too.
 */
import { cpSync, existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../platform/node/free-ports.js";
import type { Rng } from "../../platform/rng.js";
import {
  type Clocks,
  type Connection,
  type Disks,
  type DiskTrouble,
  type DiskTroubles,
  type LinkFaults,
  type Stage,
  StartRefused,
} from "../../torture/ports.js";
import { StatusResponse } from "../../wire/gen/rpc.js";
import { memberFlags } from "../stage/member-flags.js";
import { ServerProcess } from "../stage/server-process.js";
import { connectTo } from "./grpc-connection.js";
import { LogSpans } from "./log-spans.js";
import { MemberDisks } from "./member-disks.js";
import { MemberVolumes } from "./member-volumes.js";
import type { Program } from "./program.js";
import { ProxyNetwork } from "./proxy-network.js";

const host = "127.0.0.1";
const startMs = 90_000;
const pollMs = 50;
/** A member that lost its files has this long to notice it. */
const withoutFilesMs = 20_000;
const statusPath = "/etcdserverpb.Maintenance/Status";
const portsOfMember = 4;
/** The gRPC code of a member that runs, and refuses everything because its state is wrong. */
const dataLoss = 15;

interface Place {
  readonly client: number;
  readonly peer: number;
  /** The port where clients reach the member: a relay's, or its own. */
  readonly shownClient: number;
  readonly shownPeer: number;
}

export interface StageOptions {
  readonly program: Program;
  /** The folder for the members' data and logs. It exists. */
  readonly folder: string;
  readonly count: number;
  /** True if relays stand in front of all ports. */
  readonly hasProxies: boolean;
  /** True if each member's data should be on a small volume, which can be full. */
  readonly hasVolumes: boolean;
  readonly rng: Rng;
}

export class ProcessStage implements Stage {
  readonly members: readonly string[];
  readonly disks: Disks;
  readonly clocks: Clocks | undefined;
  readonly diskTroubles: DiskTroubles;
  /**
   * The parts of a member's log from a fault that filled its disk to the next start of its process:
   * only a new process is surely one that has space.
   */
  readonly fullSpans = new LogSpans((member) => this.logFile(member));
  /** Undefined: the members' data is on the file system of the folder. */
  #volumes: MemberVolumes | undefined;
  /** Why there are no volumes although they were asked for. */
  #noVolumes: string | undefined;
  readonly #options: StageOptions;
  readonly #places: ReadonlyMap<string, Place>;
  readonly #network: ProxyNetwork | undefined;
  readonly #running = new Map<string, ServerProcess>();
  /** Processes that the run has ended. */
  readonly #ending = new Set<ServerProcess>();
  readonly #joining = new Set<string>();
  #told: (member: string, how: string) => void = () => {};

  private constructor(options: StageOptions, places: ReadonlyMap<string, Place>) {
    this.#options = options;
    this.#places = places;
    this.members = [...places.keys()];
    const isOurs = options.program.kind === "lockstep";
    this.disks = new MemberDisks((member) => this.dataFolder(member), isOurs, options.rng);
    this.clocks = isOurs ? { step: (member, ms) => this.#setClock(member, ms) } : undefined;
    this.diskTroubles = {
      set: (member, trouble) => this.#setTrouble(member, trouble),
      whyNot: (trouble) => this.#whyNotTrouble(trouble),
    };
    if (options.hasVolumes) this.#mountVolumes();
    this.#network = options.hasProxies ? new ProxyNetwork(options.rng) : undefined;
  }

  /** Creates the stage and starts the relays, but no member. @throws if a port is taken */
  static async create(options: StageOptions): Promise<ProcessStage> {
    const { count, hasProxies } = options;
    const ports = await freePorts(host, portsOfMember * count);
    const places = Array.from({ length: count }, (_, at) => {
      const own = ports.slice(portsOfMember * at, portsOfMember * (at + 1));
      const [client, peer, ...shown] = own as [number, number, number, number];
      const [shownClient, shownPeer] = hasProxies ? shown : [client, peer];
      return [`m${at + 1}`, { client, peer, shownClient, shownPeer } as Place] as const;
    });
    const stage = new ProcessStage(options, new Map(places));
    for (const [member, place] of places) {
      await stage.#network?.addClients(member, place.shownClient, place.client);
      await stage.#network?.addPeers(member, place.shownPeer, place.peer);
    }
    return stage;
  }

  get network(): LinkFaults | undefined {
    return this.#network;
  }

  async startAll(): Promise<void> {
    await Promise.all(this.members.map((member) => this.start(member)));
  }

  async start(member: string): Promise<void> {
    const started = this.#spawn(member);
    let failure: string | undefined;
    void started.exited.then(({ code, signal }) => {
      failure = signal ?? `exit code ${code}`;
      if (this.#running.get(member) === started) this.#running.delete(member);
      if (!this.#ending.delete(started) && isServing) this.#told(member, failure);
    });
    let isServing = false;
    const connection = connectTo(`${host}:${this.#place(member).client}`);
    try {
      const endMs = Date.now() + startMs;
      while (failure === undefined && Date.now() < endMs) {
        const status = await connection.call(statusPath, new Uint8Array(0), 1_000);
        const isUp = status.kind === "ok" || status.code === dataLoss;
        // Another program may have taken the port: then this process has ended.
        if (isUp && failure === undefined) {
          if (status.kind === "ok") {
            const { header } = StatusResponse.decode(status.bytes);
            this.#network?.know(header?.member_id ?? 0n, member);
          }
          this.#joining.delete(member);
          isServing = true;
          return;
        }
        await sleep(pollMs);
      }
    } finally {
      connection.close();
    }
    const why = failure ?? `not within ${startMs / 1_000} s`;
    const Refusal = why === "exit code 1" ? StartRefused : Error;
    throw new Refusal(`${member} did not start: ${why}; its log ends:\n${started.lastWords()}`);
  }

  async endsWithoutFiles(member: string): Promise<boolean> {
    const started = this.#spawn(member);
    const timer = new AbortController();
    const late = sleep(withoutFilesMs, undefined, { signal: timer.signal }).catch(() => undefined);
    try {
      await Promise.race([started.exited, late]);
      return !started.isRunning;
    } finally {
      timer.abort();
      await started.kill();
      this.#running.delete(member);
    }
  }

  #spawn(member: string): ServerProcess {
    this.fullSpans.end(member);
    const { command, args } = this.#options.program;
    const started = new ServerProcess({
      command,
      args: [...args, ...this.#flagsOf(member)],
      logFile: this.logFile(member),
      cwd: this.#options.folder,
      env: {
        LOCKSTEP_TORTURE_CLOCK: path.resolve(this.#clockFile(member)),
        LOCKSTEP_TORTURE_DISK: path.resolve(this.#diskFile(member)),
      },
    });
    this.#running.set(member, started);
    return started;
  }

  async kill(member: string): Promise<void> {
    await this.#endOne(member, (running) => running.kill());
  }

  async stop(member: string): Promise<void> {
    await this.#endOne(member, (running) => running.stop());
  }

  async #endOne(member: string, end: (running: ServerProcess) => Promise<unknown>): Promise<void> {
    const running = this.#running.get(member);
    if (running === undefined) return;
    this.#ending.add(running);
    await end(running);
  }

  pause(member: string): void {
    this.#running.get(member)?.pause();
  }

  resume(member: string): void {
    this.#running.get(member)?.resume();
  }

  onUnexpectedEnd(told: (member: string, how: string) => void): void {
    this.#told = told;
  }

  connect(member: string): Connection {
    return connectTo(`${host}:${this.#place(member).shownClient}`);
  }

  peerUrl(member: string): string {
    return `http://${host}:${this.#place(member).shownPeer}`;
  }

  willJoin(member: string): void {
    this.#joining.add(member);
  }

  /**
   * Resolves when no process is left, and no volume. The data is in `dataFolder` afterwards, too.
   */
  async end(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((member) => this.kill(member)));
    this.#network?.close();
    const volumes = this.#volumes;
    if (volumes === undefined) return;
    const inVolumes = this.members.map((member) => [member, this.dataFolder(member)] as const);
    this.#volumes = undefined;
    for (const [member, from] of inVolumes) {
      if (existsSync(from)) cpSync(from, this.dataFolder(member), { recursive: true });
    }
    volumes.unmountAll();
  }

  /** Why the members have no volumes of their own. Undefined: they have, or need none. */
  get noVolumes(): string | undefined {
    return this.#noVolumes;
  }

  dataFolder(member: string): string {
    const { folder } = this.#options;
    return this.#volumes === undefined
      ? path.join(folder, `${member}.data`)
      : path.join(this.#volumes.folder(member), "data");
  }

  #mountVolumes(): void {
    const { folder } = this.#options;
    const places = this.members.map((name) => [name, path.join(folder, `${name}.volume`)] as const);
    try {
      this.#volumes = new MemberVolumes(new Map(places));
    } catch (error) {
      this.#noVolumes = (error as Error).message;
    }
  }

  #whyNotTrouble(trouble: DiskTrouble): string | undefined {
    if (trouble === "full" && this.#volumes !== undefined) return undefined;
    if (this.#options.program.kind === "lockstep") return undefined;
    return trouble === "full"
      ? (this.#noVolumes ?? "its members have no volumes")
      : "only a process of Node takes another disk (by a preloaded module)";
  }

  logFile(member: string): string {
    return path.join(this.#options.folder, `${member}.log`);
  }

  #clockFile(member: string): string {
    return path.join(this.#options.folder, `${member}.clock`);
  }

  #diskFile(member: string): string {
    return path.join(this.#options.folder, `${member}.disk`);
  }

  #setTrouble(member: string, trouble: DiskTrouble | undefined): void {
    const running = this.#running.get(member);
    const mayEnd = trouble === "full" || trouble === "failing";
    if (trouble === "full") this.fullSpans.begin(member);
    if (running !== undefined && mayEnd) this.#ending.add(running);
    if (this.#volumes !== undefined) {
      if (trouble === "full") {
        this.#volumes.fill(member);
        return;
      }
      this.#volumes.free(member);
    }
    writeFileSync(this.#diskFile(member), trouble ?? "");
  }

  #setClock(member: string, offsetMs: number): void {
    writeFileSync(this.#clockFile(member), `${offsetMs}`);
  }

  #place(member: string): Place {
    const place = this.#places.get(member);
    if (place === undefined) throw new Error(`there is no member ${member}`);
    return place;
  }

  #flagsOf(member: string): readonly string[] {
    const { client, peer, shownClient } = this.#place(member);
    const url = (port: number): string => `http://${host}:${port}`;
    return memberFlags({
      name: member,
      dataDir: path.resolve(this.dataFolder(member)),
      ...{ clientUrl: url(client), peerUrl: url(peer) },
      advertisedClientUrl: url(shownClient),
      advertisedPeerUrl: this.peerUrl(member),
      initialCluster: this.members.map((name) => `${name}=${this.peerUrl(name)}`).join(","),
      initialState: this.#joining.has(member) ? "existing" : "new",
      token: "lockstep-torture",
    });
  }
}
