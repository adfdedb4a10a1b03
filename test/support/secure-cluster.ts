/**
 * Three members of one kind with mutual TLS on every listener, each a process of its own; the caller
 * turns auth on with `etcdctl`. No common name of a certificate is a user: all clients log in.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { cleanEnv, ServerProcess } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import type { Authority, CertificateFiles } from "./certificates.js";
import { etcdctlPath, type ServerKind, serverCommand } from "./server-kind.js";

export interface Printed {
  readonly code: number | null;
  /** Standard output and standard error, as they came. */
  readonly text: string;
}

export interface SecureClusterPlan {
  readonly kind: ServerKind;
  /** An existing folder for data and logs. */
  readonly folder: string;
  readonly authority: Authority;
}

export class SecureCluster {
  readonly kind: ServerKind;
  readonly folder: string;
  readonly caFile: string;
  readonly client: CertificateFiles;
  /** Without a common name: the JSON gateway refuses clients with one while auth is on. */
  readonly namelessClient: CertificateFiles;
  /** Of the members' client URLs, then of their peer URLs. */
  readonly ports: readonly number[];
  readonly #members: ServerProcess[] = [];

  readonly #certificates: CertificateFiles;

  private constructor({ kind, folder, authority }: SecureClusterPlan, ports: readonly number[]) {
    this.kind = kind;
    this.folder = folder;
    this.caFile = authority.caFile;
    this.client = authority.issue(`client-of-${kind}`);
    this.ports = ports;
    this.namelessClient = authority.issue(`gateway-client-of-${kind}`, { commonName: "" });
    this.#certificates = authority.issue(`member-of-${kind}`);
    const together = this.peerUrls.map((url, at) => `m${at}=${url}`).join(",");
    this.peerUrls.forEach((peerUrl, at) => {
      const clientUrl = `https://127.0.0.1:${ports[at]}`;
      this.#spawn({ name: `m${at}`, clientUrl, peerUrl, initialCluster: together });
    });
  }

  #spawn(member: {
    readonly name: string;
    readonly clientUrl: string;
    readonly peerUrl: string;
    readonly initialCluster: string;
    readonly initialState?: "existing";
  }): ServerProcess {
    const { name, clientUrl, peerUrl } = member;
    const { cert, key } = this.#certificates;
    const flags = {
      ...{ name, "data-dir": join(this.folder, `${this.kind}-${name}`) },
      ...{ "initial-cluster": member.initialCluster, "bcrypt-cost": "4" },
      "initial-cluster-state": member.initialState ?? "new",
      ...{ "listen-client-urls": clientUrl, "advertise-client-urls": clientUrl },
      ...{ "listen-peer-urls": peerUrl, "initial-advertise-peer-urls": peerUrl },
      ...{ "cert-file": cert, "key-file": key, "trusted-ca-file": this.caFile },
      ...{ "peer-cert-file": cert, "peer-key-file": key },
      ...{ "peer-trusted-ca-file": this.caFile, "peer-client-cert-auth": "true" },
      "client-cert-auth": "true",
      // An alarm of missing space stays until it is disarmed, as in etcd.
      ...(this.kind === "lockstep" ? { "nospace-end": "manual" } : {}),
    };
    const words = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const { command, args } = serverCommand(this.kind);
    const logFile = join(this.folder, `${this.kind}-${name}.log`);
    const started = new ServerProcess({ command, args: [...args, ...words], logFile });
    this.#members.push(started);
    return started;
  }

  static async start(plan: SecureClusterPlan): Promise<SecureCluster> {
    const cluster = new SecureCluster(plan, await freePorts("127.0.0.1", 6));
    try {
      await Promise.all(
        cluster.#members.map((member) => member.waitForLine(/ready to serve client/, 30_000)),
      );
    } catch (cause) {
      await cluster.kill();
      throw cause;
    }
    return cluster;
  }

  get endpoints(): readonly string[] {
    return this.ports.slice(0, 3).map((port) => `127.0.0.1:${port}`);
  }

  get peerUrls(): readonly string[] {
    return this.ports.slice(3).map((port) => `https://127.0.0.1:${port}`);
  }

  /** The flags by which etcdctl reaches the first member. */
  get ctlFlags(): readonly string[] {
    const { cert, key } = this.client;
    const tls = [`--cacert=${this.caFile}`, `--cert=${cert}`, `--key=${key}`];
    return [`--endpoints=https://${this.endpoints[0]}`, ...tls];
  }

  /** Starts a member "m3" that was added with this URL; it may need seconds to catch up. */
  startAdded(peerUrl: string, clientUrl: string): void {
    const all = [...this.peerUrls, peerUrl].map((url, at) => `m${at}=${url}`);
    const initialCluster = all.join(",");
    this.#spawn({ name: "m3", clientUrl, peerUrl, initialCluster, initialState: "existing" });
  }

  /** What etcdctl 3.5 prints at the first member. `words` are split at spaces. */
  async etcdctl(words: string, input = ""): Promise<Printed> {
    const flags = this.ctlFlags.slice(words.includes("--endpoints") ? 1 : 0);
    const child = spawn(etcdctlPath(), [...flags, ...words.split(" ")], {
      env: cleanEnv({ ETCDCTL_API: "3" }),
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        text += chunk;
      });
    }
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, text };
  }

  /** Root with password "pw" and all calls below, then auth on. @throws what etcdctl says. */
  async enableAuth(...calls: readonly string[]): Promise<void> {
    const users = ["user add root:pw", "user grant-role root root"];
    for (const words of [...users, ...calls, "auth enable"]) {
      const { code, text } = await this.etcdctl(words);
      if (code !== 0) throw new Error(`etcdctl ${words}: ${text}`);
    }
  }

  async kill(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()));
  }
}
