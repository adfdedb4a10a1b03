/**
 * One to five members of one kind on this machine, each a process of its own with its data below a
 * temporary folder that `dispose` removes. Members can be killed, stopped, restarted and added; all
 * take etcd's flags. A failed start carries the end of the member's log.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { etcd34Flags, memberFlags } from "../../src/cli/stage/member-flags.js";
import { type Exit, ServerProcess } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { EtcdClient } from "./client.js";
import { type ServerKind, serverCommand } from "./server-kind.js";

/** etcd 3.4 with zap logs only the second. */
const READY_LINE = /ready to serve client requests|serving client traffic/;
const READY_TIMEOUT_MS = 90_000;

export interface MemberPlan {
  readonly kind: ServerKind;
  readonly name: string;
  readonly folder: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** "name=peerURL,..." */
  initialCluster: string;
  initialState: "new" | "existing";
  readonly token: string;
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Another build than that of its kind, from its next start on. */
  command?: { readonly command: string; readonly args: readonly string[] } | undefined;
}

export class ClusterMember {
  readonly plan: MemberPlan;
  #process: ServerProcess | undefined;
  #client: EtcdClient | undefined;

  constructor(plan: MemberPlan) {
    this.plan = plan;
  }
  get name(): string {
    return this.plan.name;
  }
  get endpoint(): string {
    return `127.0.0.1:${this.plan.clientPort}`;
  }
  get peerUrl(): string {
    return `http://127.0.0.1:${this.plan.peerPort}`;
  }
  get dataDir(): string {
    return join(this.plan.folder, this.plan.name);
  }
  get process(): ServerProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was never started`);
    return this.#process;
  }
  get isRunning(): boolean {
    return this.#process?.isRunning === true;
  }
  /** A client kept for the member's whole life; it reconnects by itself. */
  get client(): EtcdClient {
    this.#client ??= new EtcdClient(this.endpoint);
    return this.#client;
  }

  /** Starts the process without waiting until it serves. */
  spawn(extraFlags: readonly string[] = []): ServerProcess {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    const { plan } = this;
    const { command, args } = plan.command ?? serverCommand(plan.kind);
    const client = `http://${this.endpoint}`;
    const flags = [
      ...memberFlags({
        ...plan,
        ...{ dataDir: this.dataDir, clientUrl: client, peerUrl: this.peerUrl },
      }),
    ];
    if (plan.kind === "etcd34") flags.push(...etcd34Flags);
    this.#process = new ServerProcess({
      command,
      args: [...args, ...flags, ...plan.flags, ...extraFlags],
      logFile: join(plan.folder, `${plan.name}.log`),
      env: plan.env,
      cwd: plan.folder,
    });
    return this.#process;
  }

  async start(extraFlags: readonly string[] = []): Promise<void> {
    const started = this.spawn(extraFlags);
    try {
      await started.waitForLine(READY_LINE, READY_TIMEOUT_MS);
    } catch (cause) {
      await started.kill();
      throw new Error(`member ${this.name} did not start: ${(cause as Error).message}`);
    }
  }
  kill(): Promise<Exit> {
    return this.process.kill();
  }
  stop(): Promise<Exit> {
    return this.process.stop();
  }
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async dispose(): Promise<void> {
    this.#client?.close();
    await this.#process?.kill();
  }
}

export interface ClusterOptions {
  readonly kind: ServerKind;
  /** Default 1. */
  readonly size?: number;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where the members keep their data, instead of the system's temporary folder. */
  readonly parentFolder?: string;
}

export class Cluster {
  readonly members: ClusterMember[] = [];
  readonly folder: string;
  readonly #options: ClusterOptions;
  #named = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.folder = mkdtempSync(join(options.parentFolder ?? tmpdir(), "lockstep-test-"));
  }

  /** Members that know of each other and are not started. */
  static async planned(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    for (let i = 0; i < (options.size ?? 1); i++) await cluster.plan();
    const together = cluster.members.map((m) => `${m.name}=${m.peerUrl}`).join(",");
    for (const member of cluster.members) member.plan.initialCluster = together;
    return cluster;
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = await Cluster.planned(options);
    try {
      await Promise.all(cluster.members.map((member) => member.start()));
    } catch (cause) {
      await cluster.dispose();
      throw cause;
    }
    return cluster;
  }

  /** A further member that is not started; the caller completes `plan`. */
  async plan(): Promise<ClusterMember> {
    const [clientPort, peerPort] = (await freePorts("127.0.0.1", 2)) as [number, number];
    const name = `m${++this.#named}`;
    const member = new ClusterMember({
      kind: this.#options.kind,
      name,
      folder: this.folder,
      clientPort,
      peerPort,
      initialCluster: `${name}=http://127.0.0.1:${peerPort}`,
      initialState: "new",
      token: "lockstep-test",
      flags: this.#options.flags ?? [],
      env: this.#options.env ?? {},
    });
    mkdirSync(this.folder, { recursive: true });
    this.members.push(member);
    return member;
  }

  get endpoints(): string[] {
    return this.members.map((member) => member.endpoint);
  }
  get first(): ClusterMember {
    const member = this.members[0];
    if (member === undefined) throw new Error("the cluster has no member");
    return member;
  }

  /** The running member that knows itself as leader; asks until there is one. */
  async leader(timeoutMs = 15_000): Promise<ClusterMember> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      for (const member of this.members) {
        if (!member.isRunning) continue;
        const status = await member.client.status({}, { timeoutMs: 1_000 }).catch(() => undefined);
        if (status !== undefined && status.leader === status.header?.member_id) return member;
      }
      if (Date.now() > deadline) throw new Error(`no leader within ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends a member that was removed from the cluster and deletes its data. */
  async forget(member: ClusterMember): Promise<void> {
    this.members.splice(this.members.indexOf(member), 1);
    await member.dispose();
    rmSync(member.dataDir, { recursive: true, force: true });
  }

  async dispose(): Promise<void> {
    await Promise.all(this.members.map((member) => member.dispose()));
    await removeFolder(this.folder);
  }
}

/**
 * A killed member may have left a reader of its old backend, which ends by itself, and which may create
 * its lock file behind our back: rmSync would only try to remove the folder again, not that file.
 */
async function removeFolder(folder: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY" || attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
