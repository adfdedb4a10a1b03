/**
 * Members as processes of this machine, each with a folder and a log file. When this process ends,
 * for whatever reason but SIGKILL, its members are killed, paused ones too.
 */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../platform/node/free-ports.js";
import type { Connection, Stage } from "../../torture/ports.js";
import { etcd34Flags, memberFlags } from "../stage/member-flags.js";
import { ServerProcess } from "../stage/server-process.js";
import { connectTo } from "./grpc-connection.js";

const host = "127.0.0.1";
const startMs = 90_000;
const pollMs = 50;

/** The program that a member runs, without the flags that differ from member to member. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** As the program says it. */
  readonly version: string;
}

export function lockstepProgram(launcher: string, version: string): Program {
  return { command: process.execPath, args: [launcher, "server"], version: `lockstep ${version}` };
}

/** @throws Error with a text for people */
export function etcdProgram(command: string): Program {
  const { stdout, error } = spawnSync(command, ["--version"], { encoding: "utf8" });
  if (error !== undefined) throw new Error(`${command} cannot be run: ${error.message}`);
  const version = /^etcd Version: (\S+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${command} --version does not say that it is etcd`);
  const args = version.startsWith("3.4.") ? etcd34Flags : [];
  return { command, args, version: `etcd ${version}` };
}

interface Place {
  readonly client: number;
  readonly peer: number;
}

export class ProcessStage implements Stage {
  readonly members: readonly string[];
  readonly #program: Program;
  readonly #folder: string;
  readonly #places: ReadonlyMap<string, Place>;
  readonly #running = new Map<string, ServerProcess>();
  /** Members whose end was asked for. */
  readonly #ending = new Set<ServerProcess>();
  #told: (member: string, how: string) => void = () => {};

  private constructor(program: Program, folder: string, places: ReadonlyMap<string, Place>) {
    this.#program = program;
    this.#folder = folder;
    this.#places = places;
    this.members = [...places.keys()];
  }

  /** Nothing is started yet. `folder` exists; the members' data and logs go there. */
  static async create(program: Program, folder: string, count: number): Promise<ProcessStage> {
    const ports = await freePorts(host, 2 * count);
    const places = Array.from({ length: count }, (_, at) => {
      const place = { client: ports[2 * at] as number, peer: ports[2 * at + 1] as number };
      return [`m${at + 1}`, place] as const;
    });
    return new ProcessStage(program, folder, new Map(places));
  }

  async startAll(): Promise<void> {
    await Promise.all(this.members.map((member) => this.start(member)));
  }

  async start(member: string): Promise<void> {
    const { command, args } = this.#program;
    const started = new ServerProcess({
      command,
      args: [...args, ...this.#flagsOf(member)],
      logFile: this.#logFile(member),
      cwd: this.#folder,
    });
    this.#running.set(member, started);
    let failure: string | undefined;
    void started.exited.then(({ code, signal }) => {
      failure = signal ?? `exit code ${code}`;
      if (this.#running.get(member) === started) this.#running.delete(member);
      if (!this.#ending.delete(started)) this.#told(member, failure);
    });
    const connection = this.connect(member);
    try {
      const endMs = Date.now() + startMs;
      while (failure === undefined && Date.now() < endMs) {
        const status = await connection.call(
          "/etcdserverpb.Maintenance/Status",
          new Uint8Array(0),
          1_000,
        );
        // Another program may have taken the port: then our own ended.
        if (status.kind === "ok" && failure === undefined) return;
        await sleep(pollMs);
      }
    } finally {
      connection.close();
    }
    const why = failure ?? `not within ${startMs / 1_000} s`;
    throw new Error(`${member} did not start: ${why}; its log ends:\n${started.lastWords()}`);
  }

  async kill(member: string): Promise<void> {
    const running = this.#running.get(member);
    if (running === undefined) return;
    this.#ending.add(running);
    await running.kill();
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
    return connectTo(`${host}:${this.#place(member).client}`);
  }

  /** Resolves when no process is left. */
  async end(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((member) => this.kill(member)));
  }

  dataFolder(member: string): string {
    return path.join(this.#folder, `${member}.data`);
  }

  #logFile(member: string): string {
    return path.join(this.#folder, `${member}.log`);
  }

  #place(member: string): Place {
    const place = this.#places.get(member);
    if (place === undefined) throw new Error(`there is no member ${member}`);
    return place;
  }

  #flagsOf(member: string): readonly string[] {
    const { client, peer } = this.#place(member);
    const url = (port: number): string => `http://${host}:${port}`;
    const together = [...this.#places].map(([name, place]) => `${name}=${url(place.peer)}`);
    return memberFlags({
      name: member,
      dataDir: path.resolve(this.dataFolder(member)),
      ...{ clientUrl: url(client), peerUrl: url(peer) },
      initialCluster: together.join(","),
      ...{ initialState: "new", token: "lockstep-torture" },
    });
  }
}
